"""The dialect keeps to the rules of all dialects; `pip install -e .` first, so that Okapia finds it."""

import pytest
from okapia_count import dialect

from okapia.dialects.base import Dialect
from okapia.testing import DIALECT_RULES, Rule


@pytest.mark.parametrize("rule", DIALECT_RULES)
def test_the_dialect_keeps_to_the_rules(rule: Rule[Dialect]) -> None:
    rule(dialect)
