"""What stands before all routes: ids of calls, names that the server answers to, and pages that may call."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from uuid import uuid4

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response

from okapia.web.problems import Problem, problem_json

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_SHOWN = ("X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Credits-Remaining")
"""Headers that scripts of pages may read as well."""


def install(app: FastAPI, *, allowed_hosts: Sequence[str], cors_origins: Sequence[str]) -> None:
    """Put them in place; the last added stands outermost."""
    app.add_exception_handler(HTTPException, _answer_of_starlette)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=list(_SHOWN),
        )
    if allowed_hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False)
    app.add_middleware(
        CorrelationIdMiddleware,
        header_name="X-Request-ID",
        generator=lambda: str(uuid4()),
        validator=lambda text: _REQUEST_ID.fullmatch(text) is not None,
        transformer=None,
    )


async def _answer_of_starlette(request: Request, error: Exception) -> Response:
    """Give paths and methods that no dialect has the native form."""
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
    code = "not_found" if status == HTTPStatus.NOT_FOUND else "method_not_allowed"
    problem = Problem(status, code, f"{request.method} {request.url.path}: {status.phrase}")
    return problem_json(problem.for_request(request, request_id=correlation_id.get() or ""))
