"""Answers of before in a file: kept, limited, shared, and never in anybody's way."""

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from okapia.storage.answer_cache import RESTS_S, AnswerCache

MB = 1_000_000


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "answers.cache"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(file: Path, clock: Clock) -> Iterator[AnswerCache]:
    cache = AnswerCache(file, max_bytes=MB, clock=clock)
    yield cache
    cache.close()


def noise(number: int, n_bytes: int = 20_000) -> bytes:
    return random.Random(number).randbytes(n_bytes)  # noqa: S311 - bytes that do not compress


def fill(cache: AnswerCache, numbers: range) -> None:
    """Keep values of 20 kB, written when this returns."""
    for number in numbers:
        cache.put(b"%d" % number, noise(number))
    cache.close()


def known(cache: AnswerCache, numbers: range) -> list[int]:
    return [number for number in numbers if cache.get(b"%d" % number) == noise(number)]


def test_what_was_put_is_given_at_once_and_by_the_next_process(cache: AnswerCache, file: Path) -> None:
    cache.put(b"a", b"one")
    cache.put(b"a", b"two")

    at_once = cache.get(b"a")
    cache.close()
    later = AnswerCache(file, max_bytes=MB)

    assert (at_once, later.get(b"a"), later.get(b"b")) == (b"two", b"two", None)
    later.close()


def test_many_values_are_on_the_disk_before_the_cache_is_closed(cache: AnswerCache, file: Path) -> None:
    for number in range(70):
        cache.put(b"%d" % number, b"value")
    other = AnswerCache(file, max_bytes=MB)

    assert other.get(b"0") == b"value"
    other.close()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_nobody_else_may_read_the_file(cache: AnswerCache, file: Path) -> None:
    fill(cache, range(1))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_stays_within_its_size(cache: AnswerCache, file: Path) -> None:
    fill(cache, range(300))

    assert file.stat().st_size < 1.2 * MB + 64 * 20_000
    assert 30 < len(known(cache, range(300))) <= 50


def test_what_nobody_used_for_longest_goes_first(cache: AnswerCache, clock: Clock) -> None:
    fill(cache, range(40))
    clock.now += 7200
    used = known(cache, range(5))
    clock.now += 7200

    fill(cache, range(100, 120))

    assert used == known(cache, range(5)) == list(range(5))
    assert known(cache, range(5, 15)) == []
    assert known(cache, range(100, 120)) == list(range(100, 120))


def test_a_lowered_limit_makes_the_file_smaller(cache: AnswerCache, file: Path) -> None:
    fill(cache, range(40))

    lower = AnswerCache(file, max_bytes=200_000)
    left = known(lower, range(40))
    lower.close()

    assert 5 <= len(left) <= 10
    assert file.stat().st_size < 250_000


def test_a_damaged_file_is_a_line_in_the_log_and_begun_anew(
    cache: AnswerCache, file: Path, clock: Clock
) -> None:
    fill(cache, range(10))
    file.write_bytes(b"no database at all" * 1000)

    with capture_logs() as logs:
        before = known(cache, range(10))
        cache.put(b"lost", b"value")
    clock.now += RESTS_S
    fill(cache, range(10))

    assert before == []
    assert [line["event"] for line in logs] == ["answer_cache_failed"]
    assert known(cache, range(10)) == list(range(10))


def test_a_damaged_value_is_none(cache: AnswerCache, file: Path) -> None:
    cache.put(b"a", noise(1))
    cache.close()
    data = bytearray(file.read_bytes())
    data[data.index(noise(1)[5000:5020])] ^= 1
    file.write_bytes(data)

    with capture_logs() as logs:
        value = cache.get(b"a")

    assert value is None
    assert [line["event"] for line in logs] == ["answer_damaged"]


def test_a_place_that_cannot_be_written_is_a_line_a_minute(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "home").write_bytes(b"a file where the folder should be")
    cache = AnswerCache(tmp_path / "home" / "answers.cache", max_bytes=MB, clock=clock)

    with capture_logs() as logs:
        fill(cache, range(200))
        nothing = known(cache, range(200))
        clock.now += RESTS_S
        cache.get(b"a")

    assert nothing == []
    assert [line["event"] for line in logs] == ["answer_cache_failed"] * 2


def test_two_processes_share_a_file(cache: AnswerCache, file: Path, clock: Clock) -> None:
    other = AnswerCache(file, max_bytes=MB, clock=clock)
    fill(other, range(5))
    fill(cache, range(5, 10))

    assert known(other, range(10)) == known(cache, range(10)) == list(range(10))
    other.close()
