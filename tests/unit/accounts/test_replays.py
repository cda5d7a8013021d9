"""Calls with an idempotency key: done once, answered as often as asked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from okapia.accounts.replays import KEPT, Replay, Replays
from okapia.database.engine import Database
from okapia.database.tables import idempotent_calls
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.refusals import CallDiffers, CallInFlight
from okapia.storage.secrets import Vault

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOX = Replay(200, {"content-type": "application/json"}, b'{"label": "red fox"}')


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replays(database: Database, clock: Clock) -> Replays:
    return process(database, clock, "first")


def process(database: Database, clock: Clock, name: str) -> Replays:
    return Replays(database, vault=Vault(bytes(32)), instance_id=name, clock=clock)


def test_a_call_is_answered_again(replays: Replays) -> None:
    assert replays.begin(LOCAL_USER_ID, "burst", "fox") == NOON
    replays.end(LOCAL_USER_ID, "burst", FOX)

    assert replays.begin(LOCAL_USER_ID, "burst", "fox") == FOX


def test_while_it_is_answered_it_is_in_flight(replays: Replays) -> None:
    replays.begin(LOCAL_USER_ID, "burst", "fox")

    with pytest.raises(CallInFlight):
        replays.begin(LOCAL_USER_ID, "burst", "fox")


@pytest.mark.parametrize("answer", [FOX, None])
def test_another_call_under_its_key_is_refused(replays: Replays, answer: Replay | None) -> None:
    replays.begin(LOCAL_USER_ID, "burst", "fox")
    replays.end(LOCAL_USER_ID, "burst", answer)

    with pytest.raises(CallDiffers):
        replays.begin(LOCAL_USER_ID, "burst", "badger")


def test_a_call_that_came_to_nothing_is_the_same_call_when_it_is_made_again(
    replays: Replays, clock: Clock
) -> None:
    replays.begin(LOCAL_USER_ID, "burst", "fox")
    replays.end(LOCAL_USER_ID, "burst", None)
    clock.now += timedelta(hours=1)

    assert replays.begin(LOCAL_USER_ID, "burst", "fox") == NOON


def test_a_call_of_a_dead_process_is_taken_over_once(
    database: Database, replays: Replays, clock: Clock
) -> None:
    replays.begin(LOCAL_USER_ID, "burst", "fox")
    second, third = process(database, clock, "second"), process(database, clock, "third")
    with database.write() as connection:
        assert second.release(connection, "first") == 1

    assert second.begin(LOCAL_USER_ID, "burst", "fox") == NOON
    with pytest.raises(CallInFlight):
        third.begin(LOCAL_USER_ID, "burst", "fox")
    replays.end(LOCAL_USER_ID, "burst", FOX)  # the dead one was only slow
    with pytest.raises(CallInFlight):
        third.begin(LOCAL_USER_ID, "burst", "fox")


def test_a_day_later_it_is_a_new_call(database: Database, replays: Replays, clock: Clock) -> None:
    replays.begin(LOCAL_USER_ID, "burst", "fox")
    replays.end(LOCAL_USER_ID, "burst", FOX)
    clock.now += KEPT

    assert replays.begin(LOCAL_USER_ID, "burst", "badger") == NOON + KEPT
    clock.now += KEPT
    with database.write() as connection:
        assert replays.sweep(connection) == 1


def test_what_nobody_may_store_is_stored_sealed(database: Database, replays: Replays) -> None:
    secret = Replay(201, {"cache-control": "no-store"}, b'{"key": "ok_live_secret"}')
    replays.begin(LOCAL_USER_ID, "burst", "fox")
    replays.end(LOCAL_USER_ID, "burst", secret)

    with database.read() as connection:
        stored = connection.execute(select(idempotent_calls.c.body)).scalar_one()
    assert b"ok_live" not in stored
    assert replays.begin(LOCAL_USER_ID, "burst", "fox") == secret
