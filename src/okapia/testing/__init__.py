"""Conformance tests: what every dialect, model family and result format has to keep to.

Each kind has a tuple of rules. A rule is a function that takes one case and raises `AssertionError` where the
case breaks it, so a test module of a plug-in needs few lines:

    @pytest.mark.parametrize("rule", DETECTOR_RULES)
    def test_the_family_keeps_to_the_rules(rule: Rule[DetectorCase]) -> None:
        rule(CASE)

Okapia's own dialects, families and formats are tested by the same rules. pytest is not needed to import this.
"""

from okapia.testing.dialects import DIALECT_RULES
from okapia.testing.families import (
    CLASSIFIER_RULES,
    DETECTOR_RULES,
    FACE_READER_RULES,
    ClassifierCase,
    DetectorCase,
    FaceReaderCase,
)
from okapia.testing.formats import FORMAT_RULES
from okapia.testing.rules import Rule

__all__ = [
    "CLASSIFIER_RULES",
    "DETECTOR_RULES",
    "DIALECT_RULES",
    "FACE_READER_RULES",
    "FORMAT_RULES",
    "ClassifierCase",
    "DetectorCase",
    "FaceReaderCase",
    "Rule",
]
