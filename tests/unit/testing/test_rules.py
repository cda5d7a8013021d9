"""The rules find fault: each is broken once, and says so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from okapia.dialects.base import discover
from okapia.domain.types import BBox, Category, Detection
from okapia.formats.base import Format, ResultWriter, Writing
from okapia.formats.megadetector import MegaDetectorWriter, result_format
from okapia.models.card import ModelCard
from okapia.testing import DetectorCase, FaceReaderCase, Rule
from okapia.testing import dialects as dialect_rules
from okapia.testing import families as family_rules
from okapia.testing import formats as format_rules
from tests import networks
from tests.unit.conftest import Install
from tests.unit.testing.test_families import CLASSIFIER, DETECTORS, READER

BRIGHT = DETECTORS[0]


class Hasty(MegaDetectorWriter):
    """Has its file in place from the beginning."""

    def __init__(self, target: Path, writing: Writing) -> None:
        super().__init__(target, keep_above=writing.keep_above)
        target.write_bytes(b"[")


class Hoarder(MegaDetectorWriter):
    """Leaves a file beside its target."""

    def __init__(self, target: Path, writing: Writing) -> None:
        super().__init__(target, keep_above=writing.keep_above)
        target.with_name("backup").write_bytes(bytes(10_000_000))


class Careless(MegaDetectorWriter):
    """Makes whatever folder is missing."""

    def __init__(self, target: Path, writing: Writing) -> None:
        target.parent.mkdir(exist_ok=True)
        super().__init__(target, keep_above=writing.keep_above)


def written_by(writer: Callable[[Path, Writing], ResultWriter]) -> Format:
    return replace(result_format, writer=writer)


@pytest.mark.parametrize(
    ("rule", "broken", "complaint"),
    [
        (format_rules.says_what_it_is, replace(result_format, name="Mega Detector"), "small letters"),
        (format_rules.says_what_it_is, replace(result_format, source=""), "the document"),
        (format_rules.says_what_it_is, replace(result_format, suffix="json"), "a suffix such as"),
        (format_rules.writes_results_of_every_kind, written_by(Hoarder), "expected results.json alone"),
        (format_rules.keeps_the_old_file_until_it_is_done, written_by(Hasty), "touched before"),
        (format_rules.leaves_no_trace_of_an_interrupted_run, written_by(Hasty), "the old file alone"),
        (format_rules.finishes_under_another_name, written_by(Hasty), "expected partial.json alone"),
        (format_rules.refuses_what_cannot_be_written_before_any_work, written_by(Careless), "it was opened"),
    ],
)
def test_a_format_that_breaks_a_rule_is_found_out(rule: Rule[Format], broken: Format, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        rule(broken)


A_FAMILY = """
    from dataclasses import replace

    import numpy as np

    from okapia.domain.types import BBox
    from okapia.models.yolov5 import Yolov5Detector


    class plugin(Yolov5Detector):
        def detect(self, pixels):
            {}
"""


@pytest.mark.parametrize(
    ("rule", "fault", "complaint"),
    [
        (
            family_rules.stays_within_pictures_of_any_shape,
            "return tuple(replace(d, bbox=BBox(0.5, 0.5, 0.6, 0.6)) for d in super().detect(pixels))",
            "boxes within the picture",
        ),
        (
            family_rules.stays_within_pictures_of_any_shape,
            "return tuple(replace(d, label='quagga') for d in super().detect(pixels))",
            "boxes within the picture",
        ),
        (
            family_rules.stays_within_pictures_of_any_shape,
            "return tuple(replace(d, confidence=c) for d in super().detect(pixels) for c in (0.5, 0.9))",
            "not by confidence",
        ),
        (
            family_rules.says_the_same_to_several_threads,
            "self.n = getattr(self, 'n', 0) + 1; return super().detect(pixels) * self.n",
            "answers differ",
        ),
        (
            family_rules.refuses_an_answer_that_is_no_number,
            "self._session.run(np.zeros((1, 3, 64, 64), dtype=np.float32)); return ()",
            "expected a ModelError",
        ),
    ],
)
def test_a_family_that_breaks_a_rule_is_found_out(
    install: Install, rule: Rule[DetectorCase], fault: str, complaint: str
) -> None:
    install("okapia-zebra", group="okapia.models", point="zebra", code=A_FAMILY.format(fault))

    with pytest.raises(AssertionError, match=complaint):
        rule(replace(BRIGHT, card=of_family(BRIGHT.card, "zebra")))


def of_family(card: ModelCard, family: str) -> ModelCard:
    return card.model_copy(update={"family": family})


@pytest.mark.parametrize(
    "expected",
    [
        (),
        (Detection(BBox(0.125, 0.25, 0.25, 0.5), Category.ANIMAL, networks.SCORE, "animal"),),
        (Detection(BBox(0.125, 0.25, 0.25, 0.6), Category.PERSON, networks.SCORE, "person"),),
        (Detection(BBox(0.125, 0.25, 0.25, 0.5), Category.PERSON, 0.7, "person"),),
    ],
    ids=["nothing", "another label", "another box", "another confidence"],
)
def test_a_family_that_finds_something_else_is_found_out(expected: tuple[Detection, ...]) -> None:
    with pytest.raises(AssertionError, match="expected"):
        family_rules.finds_what_is_there(replace(BRIGHT, expected=expected))


def test_a_classifier_that_sees_something_else_is_found_out() -> None:
    with pytest.raises(AssertionError, match="expected domestic cat first"):
        family_rules.names_what_is_there(replace(CLASSIFIER, expected="domestic cat"))


def test_a_reader_that_guesses_something_else_is_found_out() -> None:
    doubtful: FaceReaderCase = replace(READER, picture=np.full_like(READER.picture, 102))

    with pytest.raises(AssertionError, match=r"expected 0\.8"):
        family_rules.guesses_for_each_face(doubtful)


A_DIALECT = """
    from fastapi import APIRouter
    from starlette.responses import Response

    from okapia.dialects.base import Dialect
    from okapia.domain.callers import Scope
    from okapia.web.door import door
    from okapia.web.needs import needs
    from okapia.web.problems import problem_json


    def build(context):
        router = APIRouter({})

        @router.post("{}")
        @needs(Scope.DETECT)
        def zebra() -> Response:
            {}

        return router


    plugin = Dialect("zebra", "a test", build)
"""
THROUGH_THE_DOOR = "route_class=door(context, problem_json)"


@pytest.mark.parametrize(
    ("rule", "facts", "complaint"),
    [
        (
            dialect_rules.lets_nobody_in_without_credentials,
            ("", "/zebra", "return Response()"),
            "expected 401, got 200 for POST /zebra",
        ),
        (
            dialect_rules.survives_any_body,
            (THROUGH_THE_DOOR, "/zebra", "raise KeyError('stripes')"),
            "expected no 500, got 500 for POST /zebra",
        ),
        (
            dialect_rules.is_found_and_served,
            (THROUGH_THE_DOOR, "/analyze/", "return Response()"),
            "POST /analyze/ is claimed by atlas and by zebra",
        ),
    ],
    ids=["goes round the door", "breaks", "takes a path of ours"],
)
def test_a_dialect_that_breaks_a_rule_is_found_out(
    install: Install,
    rule: Rule[object],
    facts: tuple[str, str, str],
    complaint: str,
) -> None:
    install("okapia-zebra", group="okapia.dialects", point="zebra", code=A_DIALECT.format(*facts))

    with pytest.raises(AssertionError, match=complaint):
        rule(discover()[-1])


def test_a_dialect_that_is_not_installed_is_found_out() -> None:
    stranger = replace(discover()[0], name="zebra")

    with pytest.raises(AssertionError, match="zebra is not found: is its package installed"):
        dialect_rules.is_found_and_served(stranger)
