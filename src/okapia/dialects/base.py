"""What every public contract has in common: a router, an error's looks, and how they are found.

A dialect is one module of this folder that exports `dialect`. It reaches the core through
`Service` only. The one table from error code to HTTP status is here.
"""

import importlib
import pkgutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

import okapia.dialects
from okapia.domain.errors import OkapiaError, SourceRefused
from okapia.domain.types import Failure
from okapia.service import Service

_log = structlog.get_logger(__name__)

_STATUS = {
    "not_found": HTTPStatus.NOT_FOUND,
    "payload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "model_not_installed": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_damaged": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_error": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_out_of_memory": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_lost": HTTPStatus.SERVICE_UNAVAILABLE,
    "server_busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "deadline_exceeded": HTTPStatus.SERVICE_UNAVAILABLE,
    "shutting_down": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Everything else is the caller's: 400."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out; a dialect's `render_error` gives it its form.

    Attributes:
        param: the parameter at fault, when there is one.
        retry_after_s: seconds after which trying again makes sense, when it does.
    """

    status: HTTPStatus
    code: str
    message: str
    param: str | None = None
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: "OkapiaError | Failure") -> "Problem":
        """Look the status up; parameters and waiting times come from the error itself."""
        status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
        if isinstance(error, Failure):
            return cls(status, error.code, error.message)
        return cls(status, error.code, str(error), error.param, error.retry_after_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a request is read, counted as it arrives.

    Attributes:
        max_parts: parts of a multipart body.
        max_field_bytes: bytes of a part that is not an image.
    """

    max_body_bytes: int
    max_parts: int = 64
    max_field_bytes: int = 65_536


def refuse_source(source: str) -> bytes:
    """Read nothing that callers name; raises `SourceRefused`."""
    del source
    raise SourceRefused("naming files and URLs is off")


@dataclass(frozen=True, slots=True)
class Context:
    """What a dialect is built with.

    Attributes:
        read_source: gives the bytes of a file or URL that a caller names; raises `SourceRefused`,
            `SourceUnavailable` or `UnreadableFile`.
        extra_fields: fields of SpeciesNet's instances that come back in its predictions.
    """

    service: Service
    limits: Limits
    threshold: float
    read_source: Callable[[str], bytes] = refuse_source
    extra_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public contract.

    Attributes:
        source: document that is imitated, and the date of the state imitated.
        build: makes its router; all its routes must use `error_route(render_error)`.
        also_under: path prefixes under which its routes are to be had as well, left out of the
            documentation.
    """

    name: str
    source: str
    build: Callable[[Context], APIRouter]
    also_under: tuple[str, ...] = ()


def discover() -> list[Dialect]:
    """Find the dialects of this folder, in the order of their module names."""
    names = sorted(module.name for module in pkgutil.iter_modules(okapia.dialects.__path__))
    modules = (importlib.import_module(f"okapia.dialects.{name}") for name in names)
    return [module.dialect for module in modules if hasattr(module, "dialect")]


def problem_json(problem: Problem) -> Response:
    """Answer in our native form: RFC 9457, and readable by `body.error` and `body.detail`."""
    body = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.message,
        "code": problem.code,
        "error": {"code": problem.code, "message": problem.message, "param": problem.param},
    }
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return Response(orjson.dumps(body), problem.status, headers, "application/problem+json")


class RefusedImage(Exception):
    """A single call's picture failed; the route answers with its failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def error_route(render_error: Callable[[Problem], Response]) -> type[APIRoute]:
    """Make a route class that answers every error in one dialect's form."""

    class ErrorRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handler = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    return await handler(request)
                except OkapiaError as error:
                    return render_error(Problem.of(error))
                except RefusedImage as error:
                    return render_error(Problem.of(error.failure))
                except RequestValidationError as error:
                    return render_error(_invalid(error))
                except ClientDisconnect:
                    raise
                except Exception:  # noqa: BLE001 - the route boundary: whatever happens, an answer goes out
                    _log.exception("route_crashed", path=request.url.path)
                    status = HTTPStatus.INTERNAL_SERVER_ERROR
                    return render_error(
                        Problem(status, "internal_error", "this request met a fault in Okapia")
                    )

            return guarded

    return ErrorRoute


def _invalid(error: RequestValidationError) -> Problem:
    """Name the first parameter that does not validate, with what was expected and what came."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    message = f"{name}: {first['msg']}, got {first.get('input')!r}"
    return Problem(HTTPStatus.BAD_REQUEST, "invalid_request", message, name)
