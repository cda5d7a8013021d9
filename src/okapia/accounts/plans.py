"""The plans of accounts: Animal Detect's, one without bounds, and those of the settings.

Rates are the vendor's. Which credits its plans include is not public: those numbers are ours.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from okapia.domain.callers import Plan, Rates
from okapia.domain.errors import InvalidSettings

UNLIMITED = Plan("unlimited")

PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        UNLIMITED,
        Plan("public", included=1_000, grace=100, rates=Rates(60, 120, 30), has_ocr=False),
        Plan("core", included=10_000, grace=1_000, rates=Rates(300, 300, 120)),
        Plan("growth", included=100_000, grace=10_000, rates=Rates(1000, 1000, 300)),
    )
}

DEFAULT_PLAN = UNLIMITED.name

MAX_CREDITS = 2**53 - 1
"""The largest number that every reader of JSON holds; stands for "without end" where a number is due."""

_ENDLESS = "unlimited"
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_GRACE_DAYS = 31  # grace ends with the period at the latest


def parse_plans(table: Mapping[str, Mapping[str, object]]) -> dict[str, Plan]:
    """Give the plans of `PLANS` with those of the settings' table `plans` changed and added.

    A plan that is there keeps what its table leaves out. A new one must say what is `included`; what else it
    leaves out is as in the plan `unlimited`.

    Args:
        table: by plan name: `included` (credits a period), `grace` (credits), `grace_days`, `has_ocr` and
            `rates`, a table of `inference`, `reference` and `usage` (calls a minute). Where a number bounds
            something, the word "unlimited" may stand for it.

    Raises:
        InvalidSettings: a name, a field or a value is none of these; the message says where.
    """
    return dict(PLANS) | {name: _plan(name, fields) for name, fields in table.items()}


def _plan(name: str, fields: Mapping[str, object]) -> Plan:
    if not _NAME.fullmatch(name):
        raise InvalidSettings(f"plans: expected names of a-z, 0-9, - and _, got {name!r}")
    where = f"plans.{name}"
    _check_names(where, fields, _READ)
    if name not in PLANS and "included" not in fields:
        raise InvalidSettings(
            f"{where}.included: expected a number of credits or {_ENDLESS!r}, it is missing"
        )
    plan = PLANS.get(name, Plan(name))
    for field, value in fields.items():
        plan = _READ[field](plan, value, f"{where}.{field}")
    return plan


def _with_included(plan: Plan, value: object, where: str) -> Plan:
    return replace(plan, included=_bound(value, where, least=0))


def _with_grace(plan: Plan, value: object, where: str) -> Plan:
    return replace(plan, grace=_number(value, where, least=0, most=MAX_CREDITS))


def _with_grace_days(plan: Plan, value: object, where: str) -> Plan:
    return replace(plan, grace_days=_number(value, where, least=1, most=_MAX_GRACE_DAYS))


def _with_ocr(plan: Plan, value: object, where: str) -> Plan:
    if not isinstance(value, bool):
        raise InvalidSettings(f"{where}: expected true or false, got {value!r}")
    return replace(plan, has_ocr=value)


def _with_rates(plan: Plan, value: object, where: str) -> Plan:
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{where}: expected a table of calls a minute, got {value!r}")
    _check_names(where, value, ("inference", "reference", "usage"))
    given = {bucket: _bound(rate, f"{where}.{bucket}", least=1) for bucket, rate in value.items()}
    return replace(plan, rates=replace(plan.rates, **given))


_READ: Mapping[str, Callable[[Plan, object, str], Plan]] = {
    "included": _with_included,
    "grace": _with_grace,
    "grace_days": _with_grace_days,
    "rates": _with_rates,
    "has_ocr": _with_ocr,
}


def _check_names(where: str, fields: Mapping[str, object], known: Collection[str]) -> None:
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise InvalidSettings(f"{where}: expected some of {', '.join(known)}, got {unknown[0]!r}")


def _bound(value: object, where: str, *, least: int) -> int | None:
    """Read a number of which there may be no end: None."""
    if value == _ENDLESS:
        return None
    return _number(value, where, least=least, most=MAX_CREDITS)


def _number(value: object, where: str, *, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidSettings(f"{where}: expected a whole number of {least} to {most}, got {value!r}")
    return value
