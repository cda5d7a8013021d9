"""The format keeps to the rules of all formats."""

import pytest
from okapia_boxlist import result_format

from okapia.formats.base import Format
from okapia.testing import FORMAT_RULES, Rule


@pytest.mark.parametrize("rule", FORMAT_RULES)
def test_the_format_keeps_to_the_rules(rule: Rule[Format]) -> None:
    rule(result_format)
