"""Pictures of one visit belong together: same camera, short pauses."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.pipeline.sequences import Frame, PictureSequence, sequences

NOON = datetime(2024, 5, 1, 12, 0, 0)  # noqa: DTZ001 - camera times have no zone


def frame(
    name: str, seconds: float | None, *, camera: str = "cam1", burst: tuple[int, int] | None = None
) -> Frame:
    taken_at = None if seconds is None else NOON + timedelta(seconds=seconds)
    return Frame(name, camera, taken_at, burst)


def names(found: Sequence[PictureSequence]) -> list[str]:
    return ["".join(frame.name for frame in sequence.frames) for sequence in found]


def test_a_pause_of_more_than_a_minute_begins_a_new_sequence() -> None:
    frames = [frame("a", 0), frame("b", 60), frame("c", 120), frame("d", 180.5)]

    assert names(sequences(frames)) == ["abc", "d"]


def test_the_pause_can_be_chosen() -> None:
    assert names(sequences([frame("a", 0), frame("b", 3)], gap_s=2)) == ["a", "b"]


def test_cameras_do_not_share_sequences() -> None:
    frames = [frame("a", 0), frame("b", 1, camera="cam2"), frame("c", 2), frame("d", 3, camera="cam2")]

    assert names(sequences(frames)) == ["ac", "bd"]


def test_pictures_without_a_time_stay_alone() -> None:
    frames = [frame("a", 0), frame("x", None), frame("b", 1), frame("y", None)]

    assert names(sequences(frames)) == ["ab", "x", "y"]


def test_pictures_of_one_second_are_in_the_order_of_burst_and_name() -> None:
    frames = [frame("c", 0, burst=(2, 3)), frame("b", 0, burst=(3, 3)), frame("a", 0, burst=(1, 3))]

    assert names(sequences(frames)) == ["acb"]


def test_bursts_part_what_time_joins() -> None:
    frames = [
        frame("a", 0, burst=(1, 3)),
        frame("b", 1, burst=(2, 3)),
        frame("c", 2, burst=(3, 3)),
        frame("d", 5, burst=(1, 3)),
        frame("e", 6, burst=(3, 3)),
        frame("f", 7, burst=(3, 3)),
        frame("g", 8, burst=(4, 5)),
        frame("h", 9),
        frame("i", 10),
    ]

    assert names(sequences(frames)) == ["abcdefghi"]
    assert names(sequences(frames, by="burst")) == ["abc", "de", "f", "g", "hi"]


def test_a_pause_ends_a_burst_of_which_the_rest_is_missing() -> None:
    frames = [frame("a", 0, burst=(1, 3)), frame("b", 9000, burst=(2, 3))]

    assert names(sequences(frames, by="burst")) == ["a", "b"]


def test_what_somebody_calls_a_sequence_is_one() -> None:
    frames = [
        Frame("a", "cam1", NOON, sequence="visit 7"),
        Frame("b", "cam1", NOON),
        Frame("c", "cam1", None, sequence="visit 7"),
        Frame("d", "cam2", NOON, sequence="visit 7"),
    ]

    assert names(sequences(frames)) == ["ac", "b", "d"]


def test_a_sequence_is_called_after_its_first_picture() -> None:
    assert [sequence.id for sequence in sequences([frame("b", 1), frame("a", 0), frame("c", 999)])] == [
        "a",
        "c",
    ]


def test_time_zones_are_followed_where_the_clock_is_put_back() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    early = Frame("a", "cam1", datetime(2024, 10, 27, 2, 59, 50, tzinfo=berlin))
    soon = Frame("b", "cam1", datetime(2024, 10, 27, 2, 0, 10, fold=1, tzinfo=berlin))
    later = Frame("c", "cam1", datetime(2024, 10, 27, 2, 1, 11, fold=1, tzinfo=berlin))

    assert names(sequences([later, soon, early])) == ["ab", "c"]


def test_no_pictures_make_no_sequences() -> None:
    assert sequences([]) == ()


@given(
    st.lists(
        st.tuples(st.sampled_from(["cam1", "cam2"]), st.none() | st.integers(0, 600)), min_size=1, max_size=20
    ).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))),
    st.sampled_from(["time", "burst"]),
)
def test_every_picture_is_in_one_sequence_whatever_their_order(
    both: tuple[list[tuple[str, int | None]], list[int]], by: str
) -> None:
    rows, order = both
    frames = [frame(f"p{n}", seconds, camera=camera) for n, (camera, seconds) in enumerate(rows)]

    found = sequences(frames, by="burst" if by == "burst" else "time")

    assert sorted(f.name for s in found for f in s.frames) == sorted(f.name for f in frames)
    assert sequences([frames[n] for n in order], by="burst" if by == "burst" else "time") == found
    for sequence in found:
        times = [f.taken_at for f in sequence.frames if f.taken_at is not None]
        assert all((b - a).total_seconds() <= 60 for a, b in pairwise(times))


@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_long_visit_is_one_sequence(count: int) -> None:
    assert len(sequences([frame(f"{n:03}", n * 60) for n in range(count)])) == 1
