"""`GET /v1/usage`: what an account has used and may still use, field by field as the vendor has it."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import moment
from okapia.domain.callers import Bucket, Caller, Scope
from okapia.domain.clock import utc_now
from okapia.domain.refusals import RateState
from okapia.service.desk import Desk
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker

ENDLESS = 2**53 - 1
"""Stands for "without end" in fields that are numbers: the largest that every reader of JSON holds."""


class Credits(BaseModel):
    """Credits of this period, the ones that are held for calls counted as used.

    Ours is `unlimited`: the account is never refused, and its totals are `ENDLESS`.
    """

    included_total: int
    included_used: int
    included_remaining: int
    top_up_balance: int
    grace_limit: int
    grace_used: int
    grace_remaining: int
    total_available: int
    unlimited: bool


class Billing(BaseModel):
    """The plan. Changes of it are made at once, so that none is ever scheduled."""

    plan_code: str
    status: Literal["active"] = "active"
    billing_interval: Literal["month"] = "month"
    data_policy: Literal["private"] = "private"
    scheduled_plan_code: None = None
    scheduled_billing_interval: None = None
    scheduled_change_at: None = None
    current_period_end: str
    grace_expires_at: str | None


class Requests(BaseModel):
    """Paid calls of this day and this month, in UTC."""

    today: int
    this_month: int


class RateLimit(BaseModel):
    """Inference calls a minute; ours is `unlimited`, as in the credits."""

    limit: int
    remaining: int
    reset_at: str
    unlimited: bool


class UsageAnswer(BaseModel):
    """Answer of `/v1/usage`."""

    user_id: str
    credits: Credits
    billing: Billing
    requests: Requests
    rate_limit: RateLimit


def build(context: Context) -> APIRouter:
    """Make `/v1/usage`."""
    router = APIRouter(prefix="/v1", tags=["usage"], route_class=door(context, problem_json))

    @router.get("/usage", response_model=UsageAnswer)
    @needs(Scope.USAGE, Bucket.USAGE)
    def show_usage(caller: Asker) -> Response:
        """Say what the account has used and may still use, and how many pictures may be sent this minute."""
        answer = _answer(context.desk, caller)
        return Response(answer.model_dump_json(), media_type="application/json")

    return router


def _answer(desk: Desk, caller: Caller) -> UsageAnswer:
    usage = desk.usage(caller)
    balance, account = usage.balance, usage.balance.account
    is_unlimited, grace_ends_at = account.is_unlimited, account.grace_ends_at
    return UsageAnswer(
        user_id=caller.user_id,
        credits=Credits(
            included_total=ENDLESS if is_unlimited else balance.included_total,
            included_used=0 if is_unlimited else balance.included_used,
            included_remaining=ENDLESS if is_unlimited else account.left.included,
            top_up_balance=account.left.top_up,
            grace_limit=balance.grace_limit,
            grace_used=balance.grace_used,
            grace_remaining=balance.grace_remaining,
            total_available=account.available,
            unlimited=is_unlimited,
        ),
        billing=Billing(
            plan_code=account.plan.name,
            current_period_end=moment(account.period.ends_at),
            grace_expires_at=None if grace_ends_at is None else moment(grace_ends_at),
        ),
        requests=Requests(today=usage.calls_today, this_month=usage.calls_this_month),
        rate_limit=_rate_limit(usage.rate),
    )


def _rate_limit(rate: RateState | None) -> RateLimit:
    if rate is None:
        return RateLimit(limit=ENDLESS, remaining=ENDLESS, reset_at=moment(utc_now()), unlimited=True)
    return RateLimit(
        limit=rate.limit, remaining=rate.remaining, reset_at=moment(rate.reset_at), unlimited=False
    )
