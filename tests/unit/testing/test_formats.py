"""Every format on this machine keeps to the rules that plug-ins are held to."""

import pytest

from okapia.formats.base import Format, discover
from okapia.testing import FORMAT_RULES, Rule


@pytest.mark.parametrize("rule", FORMAT_RULES)
@pytest.mark.parametrize("result_format", discover(), ids=lambda one: one.name)
def test_a_format_keeps_to_the_rules(result_format: Format, rule: Rule[Format]) -> None:
    rule(result_format)


def test_the_formats_of_this_version() -> None:
    assert [one.name for one in discover()] == ["csv", "jsonl", "megadetector", "parquet", "speciesnet"]
