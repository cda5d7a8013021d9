"""Two answers to one picture: what counts as the same, and what is said of the rest."""

from dataclasses import replace

import pytest

from okapia.cli.reproduce_compare import ACROSS_ENGINES, AS_WRITTEN, Comparison, Seen

FOX = "id;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
CANID = "id;mammalia;carnivora;canidae;;;canine family"
BOX = Seen("animal", 0.8123, (0.1, 0.2, 0.3, 0.4), None, FOX, 0.9)
ACROSS = Comparison(ACROSS_ENGINES, keep_above=0.05, threshold=0.2, has_taxa=True)
EXACT = replace(ACROSS, tolerance=AS_WRITTEN)


def test_the_same_boxes_in_another_order_are_the_same() -> None:
    other = replace(BOX, bbox=(0.5, 0.5, 0.1, 0.1), confidence=0.8122)

    assert EXACT.differences([BOX, other], [other, BOX]) == []


@pytest.mark.parametrize(
    "now",
    [
        replace(BOX, confidence=0.8173),
        replace(BOX, confidence=0.8073),
        replace(BOX, bbox=(0.101, 0.2, 0.299, 0.4)),
        replace(BOX, score=0.895),
    ],
)
def test_a_number_within_the_tolerance_is_the_same_across_engines_only(now: Seen) -> None:
    assert ACROSS.differences([BOX], [now]) == []
    assert len(EXACT.differences([BOX], [now])) == 1


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(BOX, confidence=0.8174), "animal 0.8123: confidence 0.8174 now"),
        (
            replace(BOX, bbox=(0.1, 0.2, 0.3, 0.402)),
            "animal 0.8123: a side of its box lies 0.0020 elsewhere now",
        ),
        (replace(BOX, taxon=CANID), "animal 0.8123: red fox then, canine family now"),
        (replace(BOX, taxon="", score=0.0), "animal 0.8123: red fox then, no species now"),
        (replace(BOX, score=0.85), "animal 0.8123: red fox 0.9000 then, 0.8500 now"),
    ],
)
def test_what_differs_by_more_is_named(now: Seen, said: str) -> None:
    assert ACROSS.differences([BOX], [now]) == [said]


def test_a_box_that_is_not_there_is_named_on_either_side() -> None:
    assert ACROSS.differences([BOX], []) == ["animal 0.8123: not found now"]
    assert ACROSS.differences([], [BOX]) == ["animal 0.8123: not found then"]


def test_a_box_of_another_kind_or_frame_is_another_box() -> None:
    person, later = replace(BOX, category="person"), replace(BOX, frame=3)

    assert ACROSS.differences([BOX], [person]) == [
        "animal 0.8123: not found now",
        "person 0.8123: not found then",
    ]
    assert ACROSS.differences([BOX], [later])[1] == "animal 0.8123 in frame 3: not found then"


def test_a_box_hardly_above_what_was_written_may_be_lacking_across_engines_only() -> None:
    weak = replace(BOX, confidence=0.0549, taxon="")

    assert ACROSS.differences([weak], []) == ACROSS.differences([], [weak]) == []
    assert EXACT.differences([weak], []) == ["animal 0.0549: not found now"]


def test_a_box_at_the_threshold_may_have_lost_its_species() -> None:
    then, now = replace(BOX, confidence=0.2001), replace(BOX, confidence=0.1999, taxon="", score=0.0)

    assert ACROSS.differences([then], [now]) == []


def test_species_that_came_from_neighbours_are_not_compared() -> None:
    sequences = replace(ACROSS, has_taxa=False)

    assert sequences.differences([BOX], [replace(BOX, taxon=CANID)]) == []
