"""Calls that cost credits, as a block: held before it, settled or refunded after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from starlette.requests import Request

from okapia.service.calls import Call
from okapia.web.context import Context
from okapia.web.visit import caller_of, visit_of


@asynccontextmanager
async def paid(context: Context, request: Request, *, images: int) -> AsyncIterator[Call]:
    """Hold a credit for each picture, give the call, and settle what succeeded in the end.

    Raises:
        CreditsSpent: nothing was done.
    """
    visit = visit_of(request)
    hold = partial(context.desk.calls.open, caller_of(request), images=images, reference=visit.call_id)
    with visit.span("credits"):
        call = await context.at_desk(hold)
    try:
        yield call
    finally:
        with anyio.CancelScope(shield=True), visit.span("settle"):
            receipt = await context.at_desk(call.close)
        visit.charged, visit.credits_left = receipt.charged, receipt.left
