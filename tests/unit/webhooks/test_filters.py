"""Filters: each field on its own, all of them together, and what stays unknown."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, Taxon
from okapia.domain.types import Category, Detection, Prediction
from okapia.webhooks.filters import DetectionFilter, Hours
from tests.unit.webhooks.sightings import DUSK, TAXONOMY, animal, seen, taxon, thing

FOX = animal("red fox")
WOLF = animal("grey wolf")
NAMELESS = animal()
PERSON = thing(Category.PERSON)
CAR = thing(Category.VEHICLE)
CHAIR = thing(Category.OTHER)
EVERYTHING = (FOX, WOLF, NAMELESS, PERSON, CAR, CHAIR)


def passed(wanted: DetectionFilter, *detections: Detection) -> tuple[Detection, ...]:
    return wanted.matching(seen(*detections))


def test_without_any_field_all_detections_pass_in_their_order() -> None:
    assert passed(DetectionFilter(), *EVERYTHING) == EVERYTHING


def test_a_picture_without_detections_has_none_to_pass() -> None:
    assert passed(DetectionFilter()) == ()


# --- category --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (Category.ANIMAL, (FOX, WOLF, NAMELESS)),
        (Category.PERSON, (PERSON,)),
        (Category.VEHICLE, (CAR,)),
        (Category.OTHER, (CHAIR,)),
    ],
)
def test_a_category_lets_its_own_pass(category: Category, expected: tuple[Detection, ...]) -> None:
    assert passed(DetectionFilter(categories=frozenset({category})), *EVERYTHING) == expected


def test_several_categories_let_any_of_them_pass() -> None:
    wanted = DetectionFilter(categories=frozenset({Category.PERSON, Category.VEHICLE}))

    assert passed(wanted, *EVERYTHING) == (PERSON, CAR)


# --- taxon -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (taxon("red fox"), (FOX,)),
        (taxon("vulpes"), (FOX,)),
        (taxon("canidae"), (FOX, WOLF)),
        (taxon("carnivora"), (FOX, WOLF)),
        (taxon("mammalia"), (FOX, WOLF, PERSON)),
        (ANIMAL, (FOX, WOLF, NAMELESS, PERSON)),
        (HUMAN, (PERSON,)),
        (VEHICLE, (CAR,)),
        (taxon("aves"), ()),
        (BLANK, ()),
        (UNKNOWN, ()),
    ],
    ids=lambda value: value.common_name if isinstance(value, Taxon) else "",
)
def test_a_taxon_lets_itself_and_all_below_pass(wanted: Taxon, expected: tuple[Detection, ...]) -> None:
    assert passed(DetectionFilter(taxon=wanted), *EVERYTHING) == expected


def test_an_answer_above_the_wanted_taxon_does_not_pass() -> None:
    assert passed(DetectionFilter(taxon=taxon("red fox")), animal("canidae"), animal("carnivora")) == ()


def test_what_the_classifier_takes_for_a_blank_is_no_animal() -> None:
    blank = replace(NAMELESS, prediction=Prediction(BLANK, 0.9, "classifier"))

    assert passed(DetectionFilter(taxon=ANIMAL), blank) == ()
    assert passed(DetectionFilter(taxon=BLANK), blank) == (blank,)


def test_a_taxon_matches_as_the_tree_has_it_for_every_pair() -> None:
    taxa = [one for place, one in enumerate(TAXONOMY) if place % 9 == 0]

    for wanted in taxa:
        for found in taxa:
            detection = replace(NAMELESS, prediction=Prediction(found, 0.9, "classifier"))
            is_below = wanted == found or wanted in TAXONOMY.ancestors(found)
            assert bool(passed(DetectionFilter(taxon=wanted), detection)) is is_below


# --- score -----------------------------------------------------------------------------


def test_the_least_score_is_that_of_the_prediction_where_there_is_one() -> None:
    sure_of_animal = animal("red fox", score=0.4, confidence=0.9)
    sure_of_fox = animal("red fox", score=0.9, confidence=0.4)

    assert passed(DetectionFilter(min_score=0.5), sure_of_animal, sure_of_fox) == (sure_of_fox,)


def test_the_least_score_is_the_boxes_where_nothing_was_classified() -> None:
    exact, below = thing(Category.PERSON, confidence=0.5), animal(confidence=0.499)

    assert passed(DetectionFilter(min_score=0.5), exact, below) == (exact,)


# --- camera ----------------------------------------------------------------------------


def test_cameras_match_by_their_exact_names() -> None:
    wanted = DetectionFilter(cameras=frozenset({"C1", "C2"}))

    names = ["C1", "C2", "C3", "c1", "C1 ", "C", "", None]

    matching = [name for name in names if wanted.matching(seen(FOX, camera=name))]
    assert matching == ["C1", "C2"]


# --- hours -----------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.combine(DUSK.date(), time.fromisoformat(text))


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [
        (
            "09:00",
            "17:00",
            ["09:00:00", "12:00:00", "16:59:59.999999"],
            ["08:59:59.999999", "17:00:00", "00:00:00"],
        ),
        (
            "20:00",
            "06:00",
            ["20:00:00", "23:59:59", "00:00:00", "05:59:59"],
            ["06:00:00", "12:00:00", "19:59:59"],
        ),
        ("00:00", "06:00", ["00:00:00", "05:59:59"], ["06:00:00", "23:59:59"]),
        ("18:00", "00:00", ["18:00:00", "23:59:59"], ["00:00:00", "17:59:59"]),
    ],
)
def test_hours_hold_their_start_and_not_their_end(
    start: str, end: str, inside: list[str], outside: list[str]
) -> None:
    wanted = DetectionFilter(hours=Hours(time.fromisoformat(start), time.fromisoformat(end)))

    assert all(wanted.matching(seen(FOX, captured_at=at(text))) for text in inside)
    assert not any(wanted.matching(seen(FOX, captured_at=at(text))) for text in outside)


def test_a_picture_of_unknown_time_lies_in_no_hours() -> None:
    assert DetectionFilter(hours=Hours(time(0), time(23, 59))).matching(seen(FOX)) == ()


def test_hours_are_the_cameras_whatever_its_zone() -> None:
    evening = DetectionFilter(hours=Hours(time(20), time(22)))
    in_kenya = timezone(timedelta(hours=3))

    assert evening.matching(seen(FOX, captured_at=DUSK.replace(tzinfo=in_kenya)))
    assert not evening.matching(seen(FOX, captured_at=DUSK.replace(tzinfo=in_kenya).astimezone(UTC)))


def test_hours_without_length_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="two different times"):
        Hours(time(6), time(6))


@given(st.times(), st.times(), st.times())
def test_a_moment_lies_in_hours_or_in_those_the_other_way_round(start: time, end: time, moment: time) -> None:
    if start == end:
        return

    assert (moment in Hours(start, end)) != (moment in Hours(end, start))


# --- together, and kept ----------------------------------------------------------------

FULL = DetectionFilter(
    categories=frozenset({Category.ANIMAL}),
    taxon=taxon("canidae"),
    cameras=frozenset({"C1"}),
    min_score=0.5,
    hours=Hours(time(20), time(6)),
)


def test_all_that_is_set_must_hold() -> None:
    picture = seen(FOX, PERSON, camera="C1", captured_at=DUSK)
    failing = [
        replace(picture, camera="C2"),
        replace(picture, captured_at=at("12:00")),
        seen(animal("red fox", score=0.4), camera="C1", captured_at=DUSK),
        seen(animal("felidae"), PERSON, camera="C1", captured_at=DUSK),
    ]

    assert FULL.matching(picture) == (FOX,)
    assert [FULL.matching(one) for one in failing] == [(), (), (), ()]


@pytest.mark.parametrize("wanted", [FULL, DetectionFilter()], ids=["full", "empty"])
def test_a_filter_is_the_same_after_the_database(wanted: DetectionFilter) -> None:
    stored = orjson.loads(orjson.dumps(wanted.stored()))

    assert DetectionFilter.of_stored(stored) == wanted
