"""The door of every route: who asks, how often, how much, once or again; and every error's way out.

All dialects' routes go through one route class, made by `door`. What a route needs of its caller stands above
its function (`okapia.web.needs`); a route that says nothing does not start.
"""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio
import structlog
from asgi_correlation_id import correlation_id
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from okapia.accounts.replays import Replay
from okapia.domain.callers import Bucket, Caller
from okapia.domain.errors import InvalidRequest, OkapiaError
from okapia.domain.refusals import MissingCredentials, MissingScope
from okapia.web.bodies import again, bounded
from okapia.web.context import Context
from okapia.web.needs import Needs, When, needs_of
from okapia.web.origin import check_local, check_program, is_handed_on
from okapia.web.peek import peek_form
from okapia.web.problems import Problem, RefusedImage
from okapia.web.visit import Visit, bearer, caller_of, visit_of

_log = structlog.get_logger(__name__)

_KEPT_HEADERS = ("content-type", "location", "cache-control")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Render = Callable[[Problem], Response]
Credential = Callable[[Request], str | None]

MAX_IDEMPOTENCY_KEY = 255
_NOT_KEPT = frozenset({401, 402, 403, 408, 409, 429})
"""Answers about the moment, not about the call: trying again may end otherwise. So do all from 500 on."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """How a dialect's clients say who they are.

    Attributes:
        credential: gives the key or token that came with a call.
        reads_form: whether `credential` looks at the text that a form begins with (`Visit.form`).
        has_networks: whether machines of `gateway_networks` may come without any.
    """

    credential: Credential = bearer
    reads_form: bool = False
    has_networks: bool = False


_USUAL = Entrance()


def door(context: Context, render_error: Render, entrance: Entrance = _USUAL) -> type[APIRoute]:
    """Make the route class of one dialect.

    Args:
        render_error: gives an error the dialect's form.
    """

    class Door(APIRoute):
        def get_route_handler(self) -> Handler:
            required = needs_of(self.endpoint)
            self.openapi_extra = {**(self.openapi_extra or {}), **_documented(required)}
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                request_id = correlation_id.get() or ""
                visit = request.state.visit = Visit(request_id)
                try:
                    response = await _answered(context, request, required, handle, entrance)
                except ClientDisconnect:
                    raise
                except Exception as error:  # noqa: BLE001 - the route boundary: whatever happens, an answer goes out
                    problem = _problem(error, request.url.path)
                    response = render_error(problem.for_request(request, request_id=request_id))
                visit.sign(response.headers)
                return response

            return answer

    return Door


async def _answered(
    context: Context, request: Request, required: Needs, handle: Handler, entrance: Entrance
) -> Response:
    """Let the caller in and answer, or give the answer of the first time."""
    visit = visit_of(request)
    if required.when is not When.NEVER:
        with visit.span("auth"):
            if entrance.reads_form:
                visit.form, receive = await peek_form(request, max_s=context.limits.max_body_s)
                request = Request(request.scope, receive)
            await context.at_desk(partial(_admit, context, request, required, entrance))
    if required.bucket is Bucket.INFERENCE:
        # Before a byte of the picture is read: a crowd that is refused must not keep the others waiting.
        context.service.check_room()
    limits = context.limits
    max_bytes = required.max_body_bytes or limits.max_body_bytes
    receive = bounded(request, max_bytes=max_bytes, max_s=limits.max_body_s)
    inner = Request(request.scope, receive)
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST" or visit.caller is None:
        return await handle(inner)
    body = await inner.body()
    return await _once(context, Request(request.scope, again(body)), body, handle, key)


def _admit(context: Context, request: Request, required: Needs, entrance: Entrance) -> None:
    """Find out who asks, and count the call; blocks on the database."""
    visit = visit_of(request)
    visit.caller = _caller(context, request, required, entrance)
    if visit.caller is None or required.scope is None:
        return
    if required.scope not in visit.caller.scopes:
        if required.when is not When.FOR_MORE:
            raise MissingScope(required.scope)
        visit.caller = None
    elif required.bucket is not None:
        visit.rate = context.desk.rates.admit(visit.caller, required.bucket)


def _caller(context: Context, request: Request, required: Needs, entrance: Entrance) -> Caller | None:
    """Give the caller; None only where the route can do without.

    Raises:
        InvalidCredentials: what was presented is not valid, in whatever mode the server is.
        MissingCredentials: nothing was presented, and it is needed.
        OriginRefused: no key is needed from known machines' programs, and this is none of them.
    """
    callers = context.desk.callers
    credential = entrance.credential(request)
    if credential is not None:
        return callers.authenticate(credential)
    is_exempt = context.is_loopback and required.when is not When.ALWAYS
    if context.is_loopback and (is_exempt or not callers.has_people()):
        check_local(request)
        return callers.local()
    if required.when is When.FOR_MORE:
        return None
    if entrance.has_networks and _is_of_gateway(context, request):
        check_program(request)
        return callers.of_gateway()
    raise MissingCredentials


def _is_of_gateway(context: Context, request: Request) -> bool:
    """Say whether a machine of `gateway_networks` calls; a proxy that nobody trusts is none of them."""
    if is_handed_on(request) and not context.has_proxies:
        return False
    return context.is_of_gateway(request.client)


async def _once(context: Context, request: Request, body: bytes, handle: Handler, key: str) -> Response:
    """Answer a call with an idempotency key: the first time by doing it, then by saying it again."""
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY or not key.isprintable():
        message = f"Idempotency-Key: expected 1 to {MAX_IDEMPOTENCY_KEY} printable characters"
        raise InvalidRequest(message, param="Idempotency-Key")
    visit, replays, user_id = visit_of(request), context.desk.replays, caller_of(request).user_id
    fingerprint = _fingerprint(request, body)
    begun = await context.at_desk(partial(replays.begin, user_id, key, fingerprint))
    if isinstance(begun, Replay):
        return Response(begun.body, begun.status, {**begun.headers, "Idempotent-Replayed": "true"})
    # Paid once, even when the answer was lost with the server; a day later it is another call.
    digest = hashlib.sha256(f"{key} {fingerprint}".encode()).hexdigest()
    visit.call_id = f"key:{digest}:{begun.timestamp():.3f}"
    answer: Replay | None = None
    try:
        response = await handle(request)
        answer = None if visit.is_for_now else _replay(response)
    finally:
        with anyio.CancelScope(shield=True):
            await context.at_desk(partial(replays.end, user_id, key, answer))
    return response


def _fingerprint(request: Request, body: bytes) -> str:
    """Tell calls apart by all that makes them: method, path, query, kind and content.

    A form's boundary is left out: clients make up another one each time they send the same form.
    """
    kind, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    content = body.replace(boundary.strip('" ').encode(), b"") if boundary else body
    head = (request.method, request.url.path, request.url.query, kind)
    digest = hashlib.sha256("\n".join(head).encode())
    digest.update(content)
    return digest.hexdigest()


def _replay(response: Response) -> Replay | None:
    """Give what can be said again of an answer; None when the call should rather be made again."""
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status_code in _NOT_KEPT:
        return None
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return Replay(response.status_code, kept, bytes(response.body))


def _problem(error: Exception, path: str) -> Problem:
    """Say in the one vocabulary what went wrong."""
    match error:
        case OkapiaError():
            return Problem.of(error)
        case RefusedImage():
            return Problem.of(error.failure)
        case RequestValidationError():
            return Problem.of_validation(error)
        case HTTPException(__cause__=OkapiaError() as cause):  # met while FastAPI read the body
            return Problem.of(cause)
        case HTTPException():
            return Problem(HTTPStatus(error.status_code), "invalid_request", str(error.detail))
        case _:
            _log.error("route_crashed", path=path, exc_info=error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return Problem(status, "internal_error", "this request met a fault in Okapia")


def _documented(required: Needs) -> dict[str, object]:
    """Say in the OpenAPI document what a route needs."""
    if required.scope is None:
        return {"security": []}
    return {"x-required-scope": required.scope.value, "security": [{"apiKey": []}]}
