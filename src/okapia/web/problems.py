"""Errors on their way out: the one table from error code to HTTP status, and our native form."""

from dataclasses import dataclass, replace
from http import HTTPStatus

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from okapia.domain.errors import OkapiaError
from okapia.domain.types import Failure

_STATUS = {
    "missing_credentials": HTTPStatus.UNAUTHORIZED,
    "invalid_credentials": HTTPStatus.UNAUTHORIZED,
    "credits_spent": HTTPStatus.PAYMENT_REQUIRED,
    "missing_scope": HTTPStatus.FORBIDDEN,
    "not_in_plan": HTTPStatus.FORBIDDEN,
    "origin_refused": HTTPStatus.FORBIDDEN,
    "signature_invalid": HTTPStatus.FORBIDDEN,
    "signature_expired": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "blob_missing": HTTPStatus.NOT_FOUND,
    "body_too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "idempotency_in_flight": HTTPStatus.CONFLICT,
    "job_not_finished": HTTPStatus.CONFLICT,
    "wrong_state": HTTPStatus.CONFLICT,
    "expired": HTTPStatus.GONE,
    "payload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_batches": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_jobs": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_logins": HTTPStatus.TOO_MANY_REQUESTS,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "invalid_settings": HTTPStatus.INTERNAL_SERVER_ERROR,
    "secret_damaged": HTTPStatus.INTERNAL_SERVER_ERROR,
    "shard_damaged": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ocr_not_installed": HTTPStatus.NOT_IMPLEMENTED,
    "database_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "limits_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_error": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_refused": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_not_installed": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_damaged": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_error": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_out_of_memory": HTTPStatus.SERVICE_UNAVAILABLE,
    "device_lost": HTTPStatus.SERVICE_UNAVAILABLE,
    "server_busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "deadline_exceeded": HTTPStatus.SERVICE_UNAVAILABLE,
    "shutting_down": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Everything else is the caller's: 400."""

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_RETRYABLE = frozenset({408, 429, 502, 503, 504})
_PASSING = frozenset({"idempotency_in_flight", "job_not_finished"})
_NEED_THE_OPERATOR = frozenset(
    {"model_not_installed", "model_damaged", "device_unavailable", "device_lost", "storage_refused"}
)

DEFAULT_RETRY_S = 5
"""What `Retry-After` says in a 503 whose cause does not know better."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One of several things that are wrong with a request."""

    loc: tuple[str | int, ...]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out; a dialect's `render_error` gives it its form.

    Attributes:
        param: the parameter at fault, when there is one.
        retry_after_s: seconds after which trying again makes sense, when it does.
        details: all that is wrong, where it is more than the message says.
        request_id: of the call, as in its header `X-Request-ID`.
        media_type: which of the two names of JSON errors the client takes.
        error: what was raised, for dialects that tell apart what has one code.
    """

    status: HTTPStatus
    code: str
    message: str
    param: str | None = None
    retry_after_s: int | None = None
    details: tuple[Detail, ...] = ()
    request_id: str = ""
    media_type: str = "application/problem+json"
    error: OkapiaError | None = None

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may go through later without anybody doing anything about it."""
        if self.code in _NEED_THE_OPERATOR:
            return False
        return int(self.status) in _RETRYABLE or self.code in _PASSING

    @classmethod
    def of(cls, error: "OkapiaError | Failure") -> "Problem":
        """Look the status up; parameters and waiting times come from the error itself."""
        status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
        default = DEFAULT_RETRY_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        if isinstance(error, Failure):
            return cls(status, error.code, error.message, retry_after_s=default)
        wait_s = default if error.retry_after_s is None else error.retry_after_s
        return cls(status, error.code, str(error), error.param, wait_s, error=error)

    @classmethod
    def of_validation(cls, error: RequestValidationError) -> "Problem":
        """Name the first parameter that does not validate in the sentence, and all of them below it."""
        details = tuple(
            Detail(tuple(e["loc"]), e["type"], f"{e['msg']}, got {_short(e.get('input'))}")
            for e in error.errors()
        )
        name = str(details[0].loc[-1])
        message = f"{name}: {details[0].message}"
        return cls(HTTPStatus.BAD_REQUEST, "invalid_request", message, name, details=details)

    def for_request(self, request: Request, *, request_id: str) -> "Problem":
        """Add what the answer to this request needs."""
        accepted = request.headers.get("accept", "*/*")
        takes_problem = "application/problem+json" in accepted or "*/*" in accepted or not accepted
        media_type = "application/problem+json" if takes_problem else "application/json"
        return replace(self, request_id=request_id, media_type=media_type)


class RefusedImage(Exception):
    """A single call's picture failed; the route answers with its failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def problem_json(problem: Problem) -> Response:
    """Answer in our native form: RFC 9457, and readable by `body.error` and `body.detail`."""
    default_type = "invalid_request_error" if problem.status < 500 else "api_error"
    body: dict[str, object] = {
        "type": f"urn:okapia:problem:{problem.code}",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.message,
        "code": problem.code,
        "request_id": problem.request_id,
        "error": {
            "type": _TYPES.get(problem.status, default_type),
            "code": problem.code,
            "message": problem.message,
            "param": problem.param,
            "request_id": problem.request_id,
            "retryable": problem.is_retryable,
        },
    }
    if problem.details:
        body["errors"] = [{"loc": d.loc, "code": d.code, "message": d.message} for d in problem.details]
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), problem.status, headers, problem.media_type)


def _short(value: object) -> str:
    """Show a value without flooding the answer with it."""
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
