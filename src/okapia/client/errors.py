"""What can go wrong between a program and the server, a class for each kind."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx


class ApiError(Exception):
    """Base of every error of this client.

    Attributes:
        is_passing: whether the same call may succeed a little later.
        retry_after_s: seconds that the server wants to be left alone for, when it says so.
    """

    is_passing: bool = False
    retry_after_s: float | None = None


class NoAnswer(ApiError):
    """The server could not be reached, or broke off before it had answered."""

    is_passing = True


class UnexpectedAnswer(ApiError):
    """The answer is not what the contract says; perhaps another kind of server is there."""


class JobFailed(ApiError):
    """The job ended without an answer.

    Attributes:
        code: of the picture's fault; or how the job ended: `canceled`, `expired`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class WaitedTooLong(ApiError):
    """The job was not finished within the time that it was given; it goes on."""


class InvalidSignature(ApiError):
    """The webhook was not signed with this secret, was changed on its way, or is too old."""


class ErrorAnswer(ApiError):
    """The server answered with an error.

    Attributes:
        status: of HTTP.
        code: snake_case name that programs may match; `http_502` and the like where the server names none.
        param: the parameter at fault, when there is one.
        request_id: by which the operator finds the call in the server's log.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.is_passing = is_passing

    def __str__(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{super().__str__()} ({self.code}, HTTP {self.status}{request})"


class InvalidRequest(ErrorAnswer):
    """A parameter or a part of the call is wrong."""


class BadImage(InvalidRequest):
    """The picture cannot be read."""


class AuthenticationError(ErrorAnswer):
    """The API key is missing, unknown, expired or revoked."""


class CreditsSpent(ErrorAnswer):
    """The account has too few credits left; nothing was charged."""


class PermissionDenied(ErrorAnswer):
    """The key is good, and not for this: its scopes or its plan lack it."""


class NotFound(ErrorAnswer):
    """Nothing of that id is there for this account, or not any more."""


class Conflict(ErrorAnswer):
    """What was named is not in a state in which this can be done."""


class Expired(ErrorAnswer):
    """What was asked for was there, and is not any more."""


class PayloadTooLarge(ErrorAnswer):
    """More bytes than the server takes in one call."""


class RateLimited(ErrorAnswer):
    """More calls a minute than the key or the plan allows."""


class ServerError(ErrorAnswer):
    """The server met a fault."""


class ServerBusy(ServerError):
    """The server cannot answer now: too many pictures wait, a model is missing, or it is stopping."""


_BY_STATUS: Mapping[int, type[ErrorAnswer]] = {
    401: AuthenticationError,
    402: CreditsSpent,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: PayloadTooLarge,
    429: RateLimited,
    502: ServerBusy,
    503: ServerBusy,
    504: ServerBusy,
}
_PASSING = {408, 429, 502, 503, 504}
_IN_FLIGHT = "idempotency_in_flight"
_BAD_IMAGES = {
    "empty_image",
    "unsupported_format",
    "undecodable_image",
    "truncated_image",
    "too_many_pixels",
    "unreadable_file",
    "source_refused",
    "source_unavailable",
}


def error_of(response: httpx.Response) -> ErrorAnswer:
    """Make the error that an answer stands for; its body may be a problem document or anything else."""
    document = _document(response)
    error = document.get("error")
    inner = error if isinstance(error, dict) else {}
    code = _text(inner, "code") or _text(document, "code") or f"http_{response.status_code}"
    said = (_text(inner, "message"), *(_text(document, name) for name in ("detail", "error", "message")))
    return _class_of(response.status_code, code)(
        next(filter(None, said), response.reason_phrase or "no explanation"),
        status=response.status_code,
        code=code,
        param=_text(inner, "param"),
        request_id=response.headers.get("X-Request-ID") or _text(document, "request_id"),
        retry_after_s=retry_after_s(response.headers),
        is_passing=_is_passing(response.status_code, code, inner),
    )


def retry_after_s(headers: httpx.Headers) -> float | None:
    """Give the seconds of `Retry-After`; a date counts from the server's own `Date`, if it sends one."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    until = _moment(said)
    if until is None:
        return None
    now = _moment(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _document(response: httpx.Response) -> Mapping[str, object]:
    try:
        document: object = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(document: Mapping[str, object], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None


def _class_of(status: int, code: str) -> type[ErrorAnswer]:
    if code in _BAD_IMAGES:
        return BadImage
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else InvalidRequest)


def _is_passing(status: int, code: str, error: Mapping[str, object]) -> bool:
    if code == _IN_FLIGHT:
        return True
    return status in _PASSING and error.get("retryable") is not False
