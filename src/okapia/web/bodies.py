"""Bodies, counted and timed as they arrive, before anything is parsed."""

import asyncio

from starlette.requests import Request
from starlette.types import Message, Receive

from okapia.domain.errors import BodyTooSlow, PayloadTooLarge


def bounded(request: Request, *, max_bytes: int, max_s: float) -> Receive:
    """Give a way to receive the request's body that refuses it as soon as it is known to be too much.

    What it gives raises `PayloadTooLarge`, by the declared length or when more arrives, and `BodyTooSlow`
    when the whole body has not come `max_s` seconds after the first look at it.
    """
    declared = request.headers.get("content-length", "")
    is_too_large = declared.isascii() and declared.isdigit() and int(declared) > max_bytes
    receive = request.receive
    received = 0
    ends_at = 0.0

    async def receive_bounded() -> Message:
        nonlocal received, ends_at
        if is_too_large:
            raise PayloadTooLarge(max_bytes=max_bytes)
        ends_at = ends_at or asyncio.get_running_loop().time() + max_s
        try:
            # A body comes in dozens of pieces: anyio's cancel scopes would cost a millisecond for them.
            async with asyncio.timeout_at(ends_at):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(max_s=max_s) from None
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise PayloadTooLarge(max_bytes=max_bytes)
        return message

    return receive_bounded


def again(body: bytes) -> Receive:
    """Give a way to receive a body that was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
