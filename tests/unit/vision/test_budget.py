"""Room in memory for decoded pictures: never more than there is, and always given back."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import ServerBusy, TooManyPixels
from okapia.vision.budget import Crowded, DecodeBudget
from okapia.vision.decode import DecodePolicy, Picture
from tests.unit.vision.pictures import encode, scene

PIXELS = 400 * 300


class Watched(DecodeBudget):
    """Remembers the most that was ever held."""

    most = 0

    @contextmanager
    def hold(self, n_bytes: int, crowded: Crowded) -> Iterator[None]:
        with super().hold(n_bytes, crowded):
            self.most = max(self.most, sum(self._held))
            yield


def is_free(budget: DecodeBudget) -> bool:
    with budget.hold(budget.max_bytes, Crowded.REFUSE):
        return True


def test_what_fits_beside_the_others_is_taken_and_what_does_not_is_refused() -> None:
    budget = DecodeBudget(100)

    with (
        budget.hold(60, Crowded.REFUSE),
        budget.hold(40, Crowded.REFUSE),
        pytest.raises(ServerBusy) as refused,
        budget.hold(1, Crowded.REFUSE),
    ):
        pass

    assert refused.value.retry_after_s == 2
    assert is_free(budget)


def test_room_is_given_back_when_the_block_fails() -> None:
    budget = DecodeBudget(100)

    with pytest.raises(ZeroDivisionError), budget.hold(100, Crowded.REFUSE):
        raise ZeroDivisionError

    assert is_free(budget)


def test_who_waits_goes_on_when_there_is_room() -> None:
    budget = DecodeBudget(100)
    is_in = threading.Event()

    def wait() -> None:
        with budget.hold(50, Crowded.WAIT):
            is_in.set()

    with budget.hold(60, Crowded.WAIT):
        waiting = threading.Thread(target=wait)
        waiting.start()
        was_in_early = is_in.wait(timeout=0.05)
    waiting.join(timeout=10)

    assert not was_in_early
    assert is_in.is_set()


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(Crowded)), max_size=40))
def test_threads_never_hold_more_than_there_is(asked: list[tuple[int, Crowded]]) -> None:
    budget = Watched(100)

    def ask(n_bytes: int, crowded: Crowded) -> bool:
        try:
            with budget.hold(n_bytes, crowded):
                return True
        except ServerBusy:
            return crowded is Crowded.REFUSE

    with ThreadPoolExecutor(4) as threads:
        went_well = list(threads.map(lambda one: ask(*one), asked))

    assert all(went_well)
    assert budget.most <= 100
    assert is_free(budget)


@pytest.mark.parametrize(("kind", "bytes_per_pixel"), [("JPEG", 6), ("PNG", 14), ("WEBP", 22)])
def test_a_picture_that_all_room_would_not_hold_has_too_many_pixels(kind: str, bytes_per_pixel: int) -> None:
    data = encode(scene(400, 300), kind)
    enough, too_little = PIXELS * bytes_per_pixel, PIXELS * bytes_per_pixel - 1

    Picture.open(data, DecodePolicy(budget=DecodeBudget(enough)))
    with pytest.raises(TooManyPixels, match=f"400 x 300 pixels; at most {PIXELS - 1:,} are decoded"):
        Picture.open(data, DecodePolicy(budget=DecodeBudget(too_little)))


def test_a_picture_is_counted_while_it_is_in_memory() -> None:
    budget = DecodeBudget(PIXELS * 6)
    picture = Picture.open(encode(scene(400, 300), "JPEG"), DecodePolicy(budget=budget))

    with picture.in_memory(), pytest.raises(ServerBusy):
        is_free(budget)

    assert is_free(budget)
