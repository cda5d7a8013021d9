"""Every dialect on this machine keeps to the rules that plug-ins are held to."""

import pytest

from okapia.dialects.base import Dialect, discover
from okapia.testing import DIALECT_RULES, Rule


@pytest.mark.parametrize("rule", DIALECT_RULES)
@pytest.mark.parametrize("dialect", discover(), ids=lambda one: one.name)
def test_a_dialect_keeps_to_the_rules(dialect: Dialect, rule: Rule[Dialect]) -> None:
    rule(dialect)
