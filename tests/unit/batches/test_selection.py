"""What a batch is about: Microsoft's order, and nothing left out in silence."""

from collections import Counter

import pytest

from okapia.batches.items import Item
from okapia.batches.selection import Selection
from okapia.domain.errors import InvalidRequest

LISTED = [Item(name) for name in ("a/1.jpg", "a/2.JPG", "a/notes.txt", "b/3.png", "A/4.jpeg")]


def names(selection: Selection) -> list[str]:
    return [item.name for item in selection.of(LISTED)]


def test_other_files_are_no_pictures() -> None:
    assert names(Selection()) == ["a/1.jpg", "a/2.JPG", "b/3.png", "A/4.jpeg"]


def test_the_case_of_a_prefix_counts() -> None:
    assert names(Selection(prefix="a/")) == ["a/1.jpg", "a/2.JPG"]


def test_the_first_are_taken_after_prefix_and_suffix() -> None:
    assert names(Selection(prefix="a/", first_n=1)) == ["a/1.jpg"]
    assert names(Selection(first_n=99)) == ["a/1.jpg", "a/2.JPG", "b/3.png", "A/4.jpeg"]


def test_a_sample_is_drawn_from_the_first_and_keeps_the_order_of_the_listing() -> None:
    drawn = names(Selection(first_n=3, sample_n=2, seed=7))

    assert len(drawn) == 2
    assert drawn == sorted(drawn)
    assert {*drawn} <= {"a/1.jpg", "a/2.JPG", "b/3.png"}
    assert drawn == names(Selection(first_n=3, sample_n=2, seed=7))


def test_every_picture_has_the_same_chance_of_being_drawn() -> None:
    drawn = Counter(name for seed in range(2000) for name in names(Selection(sample_n=1, seed=seed)))

    assert len(drawn) == 4
    assert all(420 < times < 580 for times in drawn.values())  # 500 expected, deviation 19


def test_a_sample_of_more_than_there_is_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected at least sample_n = 5 pictures, found 4"):
        names(Selection(sample_n=5))


def test_more_than_a_batch_may_have_is_refused() -> None:
    assert len(names(Selection(most=4))) == 4
    with pytest.raises(InvalidRequest, match="at most 3 pictures"):
        names(Selection(most=3))


def test_what_could_not_be_looked_into_is_kept_whatever_it_is_called() -> None:
    broken = Item("a/camera 9", problem="a link to a folder")

    assert list(Selection().of([broken])) == [broken]
