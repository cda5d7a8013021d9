"""Plans: the vendor's rates, and what the settings make of them."""

from collections.abc import Mapping

import pytest

from okapia.accounts.plans import DEFAULT_PLAN, MAX_CREDITS, PLANS, parse_plans
from okapia.domain.callers import Plan, Rates
from okapia.domain.errors import InvalidSettings


@pytest.mark.parametrize(
    ("name", "rates", "has_ocr"),
    [
        ("unlimited", Rates(), True),
        ("public", Rates(inference=60, reference=120, usage=30), False),
        ("core", Rates(inference=300, reference=300, usage=120), True),
        ("growth", Rates(inference=1000, reference=1000, usage=300), True),
    ],
)
def test_plans_have_the_rates_of_the_vendor(name: str, rates: Rates, has_ocr: bool) -> None:  # noqa: FBT001
    plan = PLANS[name]

    assert (plan.rates, plan.has_ocr) == (rates, has_ocr)


def test_by_default_nothing_is_ever_refused() -> None:
    assert PLANS[DEFAULT_PLAN] == Plan("unlimited")


def test_without_settings_the_plans_are_as_they_are() -> None:
    assert parse_plans({}) == PLANS


def test_a_plan_keeps_what_its_table_leaves_out() -> None:
    plans = parse_plans({"public": {"included": 50, "rates": {"inference": 5}}})

    assert plans["public"] == Plan("public", included=50, grace=100, rates=Rates(5, 120, 30), has_ocr=False)
    assert plans["core"] == PLANS["core"]


def test_a_new_plan_has_no_bounds_but_its_own() -> None:
    plans = parse_plans({"students-2026": {"included": 200, "grace": 20, "grace_days": 3, "has_ocr": False}})

    assert plans["students-2026"] == Plan(
        "students-2026", included=200, grace=20, grace_days=3, has_ocr=False
    )


def test_a_number_may_be_without_end() -> None:
    plans = parse_plans({"core": {"included": "unlimited", "rates": {"inference": "unlimited"}}})

    assert plans["core"].included is None
    assert plans["core"].rates == Rates(None, 300, 120)


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("Öko", {"included": 1}, "expected names of a-z"),
        ("", {"included": 1}, "expected names of a-z"),
        ("mine", {}, "plans.mine.included: expected a number of credits or 'unlimited'"),
        ("mine", {"rates": {}}, "plans.mine.included"),
        ("core", {"included": -1}, "plans.core.included: expected a whole number of 0 to 90071992547"),
        ("core", {"included": MAX_CREDITS + 1}, "plans.core.included"),
        ("core", {"included": 1.5}, "got 1.5"),
        ("core", {"included": True}, "got True"),
        ("core", {"included": "many"}, "got 'many'"),
        ("core", {"grace": "unlimited"}, "plans.core.grace: expected a whole number"),
        ("core", {"grace_days": 0}, "plans.core.grace_days: expected a whole number of 1 to 31"),
        ("core", {"has_ocr": "yes"}, "plans.core.has_ocr: expected true or false, got 'yes'"),
        ("core", {"rates": 60}, "plans.core.rates: expected a table of calls a minute, got 60"),
        ("core", {"rates": {"inference": 0}}, "plans.core.rates.inference: expected a whole number of 1"),
        ("core", {"rates": {"batch": 1}}, "plans.core.rates: expected some of inference, reference, usage"),
        ("core", {"credits": 5}, "plans.core: expected some of included, grace, .*, got 'credits'"),
    ],
)
def test_a_wrong_table_says_where(name: str, table: Mapping[str, object], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        parse_plans({name: table})
