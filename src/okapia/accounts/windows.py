"""Counting in moving windows of a minute: in this process's memory, or in Redis for several processes."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError, StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidSettings, OkapiaError

WINDOW = timedelta(minutes=1)
REDIS_TIMEOUT_S = 1.0
_MEMORY = "memory://"
_REDIS = ("redis://", "rediss://", "redis+unix://")


class LimitsUnavailable(OkapiaError):
    """Calls cannot be counted now, so none is let through: Redis does not answer."""

    code = "limits_unavailable"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("the store of rate limits does not answer")


@dataclass(frozen=True, slots=True)
class Standing:
    """How full one window is.

    Attributes:
        has_room: of `take`, whether it was counted; of `look`, whether it would be.
        used: how many are counted.
        frees_at: when the oldest of them leaves the window; in an empty window, now.
    """

    has_room: bool
    used: int
    frees_at: datetime


class Windows(Protocol):
    """Windows by key; safe to use from several threads. Every method may raise `LimitsUnavailable`."""

    def take(self, key: str, *, limit: int) -> Standing:
        """Count one, unless `limit` are counted already."""

    def look(self, key: str, *, limit: int) -> Standing:
        """See how full a window is."""

    def clear(self, key: str, *, limit: int) -> None:
        """Forget what was counted under this limit."""


def open_windows(address: str = _MEMORY, *, clock: Clock = utc_now) -> Windows:
    """Open the windows at `memory://`, or at an address of Redis; the latter connects when first used.

    Raises:
        InvalidSettings: the address is neither, or the package for Redis is missing.
    """
    if address == _MEMORY:
        return MemoryWindows(clock=clock)
    if not address.startswith(_REDIS):
        # Not repeated: it may hold a password.
        raise InvalidSettings(f"limits: expected {_MEMORY} or an address with {', '.join(_REDIS)}")
    try:
        return RedisWindows(address)
    except ConfigurationError as error:
        raise InvalidSettings("limits: redis is missing; pip install 'okapia[redis]'") from error
    except ValueError as error:
        raise InvalidSettings("limits: expected redis://[:PASSWORD@]HOST:PORT/NUMBER") from error


class MemoryWindows:
    """Windows of one process; holds only keys of the last minute.

    Not the memory storage of `limits`, which keeps every key for ever and starts a thread at most hits
    (5.8, July 2026).
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = Lock()
        # The key that was counted longest ago comes first.
        self._windows: OrderedDict[str, deque[datetime]] = OrderedDict()

    def take(self, key: str, *, limit: int) -> Standing:
        with self._lock:
            now = self._clock()
            times = self._recent(key, now)
            has_room = len(times) < limit
            if has_room:
                times.append(now)
                self._windows[key] = times
                self._windows.move_to_end(key)
            return _standing(times, now, has_room=has_room)

    def look(self, key: str, *, limit: int) -> Standing:
        with self._lock:
            now = self._clock()
            times = self._recent(key, now)
            return _standing(times, now, has_room=len(times) < limit)

    def clear(self, key: str, *, limit: int) -> None:
        del limit
        with self._lock:
            self._windows.pop(key, None)

    def _recent(self, key: str, now: datetime) -> deque[datetime]:
        """Give the times of the last minute, after forgetting every window that is empty by now."""
        start = now - WINDOW
        while self._windows and next(iter(self._windows.values()))[-1] <= start:
            self._windows.popitem(last=False)
        times = self._windows.get(key, deque())
        while times and times[0] <= start:
            times.popleft()
        return times


def _standing(times: deque[datetime], now: datetime, *, has_room: bool) -> Standing:
    return Standing(has_room, len(times), times[0] + WINDOW if times else now)


class RedisWindows:
    """Windows that several processes share; their clocks should agree."""

    def __init__(self, address: str) -> None:
        storage = RedisStorage(
            address,
            key_prefix="okapia",
            wrap_exceptions=True,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
        )
        self._limiter = MovingWindowRateLimiter(storage)

    def take(self, key: str, *, limit: int) -> Standing:
        item = RateLimitItemPerMinute(limit)
        with _translated():
            has_room = self._limiter.hit(item, key)
            return self._standing(item, key, has_room=has_room)

    def look(self, key: str, *, limit: int) -> Standing:
        item = RateLimitItemPerMinute(limit)
        with _translated():
            return self._standing(item, key, has_room=self._limiter.test(item, key))

    def clear(self, key: str, *, limit: int) -> None:
        with _translated():
            self._limiter.clear(RateLimitItemPerMinute(limit), key)

    def _standing(self, item: RateLimitItemPerMinute, key: str, *, has_room: bool) -> Standing:
        stats = self._limiter.get_window_stats(item, key)
        used = item.amount - stats.remaining
        frees_at = datetime.fromtimestamp(stats.reset_time, UTC) if used else utc_now()
        return Standing(has_room, used, frees_at)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise LimitsUnavailable from error
