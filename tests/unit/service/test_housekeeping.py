"""Chores are done again and again, and none can end the others."""

from threading import Event

from okapia.domain.storage_errors import DatabaseUnavailable
from okapia.service.housekeeping import Housekeeper


def test_a_chore_that_fails_ends_neither_itself_nor_others() -> None:
    failed: list[int] = []
    done = Event()

    def fail() -> None:
        failed.append(1)
        raise DatabaseUnavailable("away") if len(failed) == 1 else RuntimeError("a bug")

    def do() -> None:
        if len(failed) > 2:
            done.set()

    house = Housekeeper(often=(fail, do), seldom=(), often_s=0.001, seldom_every=1)
    house.start()

    assert done.wait(10)
    house.stop()


def test_seldom_is_less_often() -> None:
    often: list[int] = []
    seldom: list[int] = []
    enough = Event()

    def note() -> None:
        seldom.append(len(often))
        if len(seldom) == 3:
            enough.set()

    house = Housekeeper(often=(lambda: often.append(1),), seldom=(note,), often_s=0.001, seldom_every=4)
    house.start()
    enough.wait(10)
    house.stop()

    assert seldom[:3] == [4, 8, 12]


def test_it_stops_even_if_it_never_began() -> None:
    Housekeeper(often=(), seldom=(), often_s=60, seldom_every=1).stop()
