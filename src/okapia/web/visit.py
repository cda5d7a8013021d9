"""What is known of a call while it is answered, and what its answer's headers say of that."""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated
from uuid import uuid4

from fastapi import Depends
from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from okapia.domain.callers import Caller
from okapia.domain.clock import utc_now
from okapia.domain.refusals import RateState
from okapia.web.peek import FormStart


@dataclass(slots=True)
class Visit:
    """One call on its way through.

    Attributes:
        call_id: what its credits are held under: of the client's idempotency key when there is one.
        charged, credits_left: set when the call was paid.
        is_for_now: whether the answer may be another when the call is made again: a part of it found no room.
        form: what the form began with, where the dialect's credentials may stand there.
        spans: milliseconds by name, for `Server-Timing`.
    """

    request_id: str
    call_id: str = field(default_factory=lambda: f"call:{uuid4().hex}")
    caller: Caller | None = None
    rate: RateState | None = None
    charged: int | None = None
    credits_left: int | None = None
    model_id: str | None = None
    is_for_now: bool = False
    form: FormStart | None = None
    began: float = field(default_factory=perf_counter)
    spans: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Time a part of the call."""
        began = perf_counter()
        try:
            yield
        finally:
            self.spans[name] = self.spans.get(name, 0.0) + (perf_counter() - began) * 1000

    def sign(self, headers: MutableHeaders) -> None:
        """Write what the caller wants to know into the answer's headers."""
        total = (perf_counter() - self.began) * 1000
        spans = {**self.spans, "total": total}
        headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.1f}" for name, ms in spans.items())
        headers["X-Processing-Time-Ms"] = str(round(total))
        if self.model_id is not None:
            headers["X-Model-Id"] = self.model_id
        if self.charged is not None:
            headers["X-Credits-Charged"] = str(self.charged)
            headers["X-Credits-Remaining"] = str(self.credits_left)
        if self.rate is not None:
            _sign_rate(headers, self.rate)


def _sign_rate(headers: MutableHeaders, rate: RateState) -> None:
    """Say where the caller stands: draft-ietf-httpapi-ratelimit-headers-11, and the older names."""
    wait_s = max(0, round((rate.reset_at - utc_now()).total_seconds()))
    headers["RateLimit-Policy"] = f'"{rate.bucket.value}";q={rate.limit};w=60'
    headers["RateLimit"] = f'"{rate.bucket.value}";r={rate.remaining};t={wait_s}'
    headers["X-RateLimit-Limit"] = str(rate.limit)
    headers["X-RateLimit-Remaining"] = str(rate.remaining)
    headers["X-RateLimit-Reset"] = str(round(rate.reset_at.timestamp()))


def visit_of(request: Request) -> Visit:
    """Give the visit that the door opened."""
    visit: Visit = request.state.visit
    return visit


def caller_of(request: Request) -> Caller:
    """Give the caller that the door let in.

    Raises:
        RuntimeError: the route is public.
    """
    caller = visit_of(request).caller
    if caller is None:
        raise RuntimeError(f"{request.url.path} is public and asks for its caller")
    return caller


Asker = Annotated[Caller, Depends(caller_of)]
"""A route's parameter: who asks."""


def bearer(request: Request) -> str | None:
    """Give the key or token that came with a call; browsers send it as the password of Basic."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _password(value)
        case "":
            return request.headers.get("x-api-key")
        case _:
            return value or scheme  # something was presented, and it is none of ours


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return encoded
