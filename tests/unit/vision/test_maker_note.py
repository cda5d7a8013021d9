"""Maker notes of trail cameras, whole, cut short and hostile."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okapia.domain.capture import COLDEST_C, HOTTEST_C, BurstSequence, MoonPhase
from okapia.vision.maker_note import MakerNote, read_maker_note
from tests.unit.vision.reconyx import TABLES, reconyx_note

SERIAL_CHARACTERS = 15


def bare(note: MakerNote) -> MakerNote:
    """The note without the NUL characters that fill its serial number."""
    return replace(note, serial=(note.serial or "").rstrip("\0") or None)


@pytest.mark.parametrize("model", TABLES)
def test_every_known_form_is_read(model: str) -> None:
    note = bare(read_maker_note(reconyx_note(model)))

    assert replace(note, captured_at=None) == MakerNote(
        serial="H500DE01120343",
        temperature=-5.0,
        moon_phase=MoonPhase.WAXING_GIBBOUS,
        sequence=BurstSequence(2, 5),
    )


def test_a_hyperfire_has_its_own_clock() -> None:
    written = read_maker_note(reconyx_note(clock=(31, 8, 9, 5, 7, 2015))).captured_at

    assert written == datetime(2015, 5, 7, 9, 8, 31)  # noqa: DTZ001 - camera time has no zone


@pytest.mark.parametrize("clock", [(0, 0, 0, 0, 0, 0), (0, 60, 0, 1, 1, 2015), (0, 0, 0, 1280, 1792, 57095)])
def test_an_impossible_clock_costs_only_itself(clock: tuple[int, ...]) -> None:
    note = read_maker_note(reconyx_note(clock=clock))

    assert note.captured_at is None
    assert note.temperature == -5.0


@pytest.mark.parametrize("model", TABLES)
@pytest.mark.parametrize(("number", "phase"), list(enumerate(MoonPhase)))
def test_moon_phases_count_from_new_moon(model: str, number: int, phase: MoonPhase) -> None:
    assert read_maker_note(reconyx_note(model, moon_phase=number)).moon_phase is phase


@pytest.mark.parametrize("model", TABLES)
@pytest.mark.parametrize("sequence", [(0, 0), (0, 5), (6, 5)], ids=["time lapse", "none", "beyond its end"])
def test_what_is_out_of_range_is_none(model: str, sequence: tuple[int, int]) -> None:
    note = read_maker_note(reconyx_note(model, sequence=sequence, moon_phase=8, celsius=255))

    assert (note.sequence, note.moon_phase, note.temperature) == (None, None, None)


@pytest.mark.parametrize("model", TABLES)
def test_a_note_that_is_cut_short_says_nothing(model: str) -> None:
    table = TABLES[model]
    end = table.serial + len("".ljust(SERIAL_CHARACTERS).encode(table.encoding))

    assert read_maker_note(reconyx_note(model)[: end - 1]) == MakerNote()
    assert read_maker_note(reconyx_note(model)[:end]) == read_maker_note(reconyx_note(model))


@pytest.mark.parametrize("note", [b"", b"\0" * 460, b"Nikon\0\2\x10\0\0II*\0" + b"\1" * 400], ids=len)
def test_a_form_that_is_not_known_says_nothing(note: bytes) -> None:
    assert read_maker_note(note) == MakerNote()


def assert_in_range(note: MakerNote) -> None:
    assert note.temperature is None or COLDEST_C <= note.temperature <= HOTTEST_C
    assert note.sequence is None or 1 <= note.sequence.current <= note.sequence.total
    assert len(note.serial or "") <= SERIAL_CHARACTERS


@settings(max_examples=300)
@given(st.sampled_from(sorted(TABLES)), st.binary(max_size=300))
def test_random_values_behind_a_known_start_are_in_range_or_none(model: str, body: bytes) -> None:
    assert_in_range(read_maker_note(TABLES[model].start + body))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(TABLES)), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=8)
)
def test_flipped_bytes_are_in_range_or_none(model: str, places: list[tuple[int, int]]) -> None:
    note = bytearray(reconyx_note(model))
    for place, value in places:
        note[place % len(note)] = value

    assert_in_range(read_maker_note(bytes(note)))
