"""The progress of a batch as server-sent events, for pages and programs that look on."""

from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent

from okapia.dialects.batches.answers import ShownBatch
from okapia.domain.errors import OkapiaError
from okapia.service.batches import Overview

LOOK_EVERY_S = 1.0

_PING_S = 15
_PATIENCE_S = 30
"""For a reader that takes nothing in; nobody waits for it but its own connection."""


def progress_events(look: Callable[[], Overview], *, base_url: str) -> EventSourceResponse:
    """Answer with an event `progress` for each change, the first at once, and with `end` when it has ended.

    The answer is over before that when the server stops, or cannot look.

    Args:
        look: gives the batch as it is now; blocks.
    """
    stopping = anyio.Event()
    return EventSourceResponse(
        _events(look, base_url, stopping),
        ping=_PING_S,
        sep="\n",
        send_timeout=_PATIENCE_S,
        shutdown_event=stopping,
        shutdown_grace_period=2 * LOOK_EVERY_S,
    )


async def _events(
    look: Callable[[], Overview], base_url: str, stopping: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    told: Overview | None = None
    while not stopping.is_set():
        try:
            now = await to_thread.run_sync(look)
        except OkapiaError:  # whoever looks on comes again, and is told then
            return
        if now.batch.state.is_final:
            yield _event("end", now, base_url)
            return
        if told is None or (now.batch, now.progress) != (told.batch, told.progress):
            yield _event("progress", now, base_url)
            told = now
        with anyio.move_on_after(LOOK_EVERY_S):
            await stopping.wait()


def _event(kind: str, overview: Overview, base_url: str) -> ServerSentEvent:
    return ServerSentEvent(ShownBatch.of(overview, base_url=base_url).model_dump_json(), event=kind)
