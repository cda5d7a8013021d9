"""How often: calls a minute by key and bucket, and wrong passwords a minute by name."""

from datetime import datetime
from hashlib import sha256
from math import ceil

from okapia.accounts.windows import Standing, Windows
from okapia.domain.callers import Bucket, Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.refusals import RateLimited, RateState, TooManyLogins

WRONG_A_NAME = 5
"""Wrong passwords a minute for one name."""

WRONG_IN_ALL = 100
"""Wrong passwords a minute for all names together: each costs the time of a password's hash."""


class RateLimits:
    """Calls a minute, counted for each key (or person without one) and bucket."""

    def __init__(self, windows: Windows, *, clock: Clock = utc_now) -> None:
        self._windows = windows
        self._clock = clock

    def admit(self, caller: Caller, bucket: Bucket) -> RateState | None:
        """Count a call; gives where the caller stands then, None without a limit.

        Raises:
            RateLimited: a minute's calls are used up; this one is not counted.
            LimitsUnavailable: they cannot be counted.
        """
        limit = caller.rates.of(bucket)
        if limit is None:
            return None
        standing = self._windows.take(_rate_key(caller, bucket), limit=limit)
        state = _state(bucket, limit, standing)
        if standing.has_room:
            return state
        raise RateLimited(state, retry_after_s=_wait(standing, self._clock()))

    def state(self, caller: Caller, bucket: Bucket) -> RateState | None:
        """Give where a caller stands without counting; None without a limit. Raises `LimitsUnavailable`."""
        limit = caller.rates.of(bucket)
        if limit is None:
            return None
        return _state(bucket, limit, self._windows.look(_rate_key(caller, bucket), limit=limit))


class LoginThrottle:
    """Makes whoever guesses passwords wait: `check`, then compare, then `failed` or `succeeded`.

    Names that nobody has count as well, so that it cannot be told which exist. Guesses that are being
    compared at the same moment are counted only afterwards: call `check` as late as possible.
    """

    def __init__(self, windows: Windows, *, clock: Clock = utc_now) -> None:
        self._windows = windows
        self._clock = clock

    def check(self, name: str) -> None:
        """Let one more password be tried.

        Raises:
            TooManyLogins: too many were wrong in the last minute, for this name or for all together.
            LimitsUnavailable: they cannot be counted.
        """
        for key, limit in ((_login_key(name), WRONG_A_NAME), (_ALL_LOGINS, WRONG_IN_ALL)):
            standing = self._windows.look(key, limit=limit)
            if not standing.has_room:
                raise TooManyLogins(retry_after_s=_wait(standing, self._clock()))

    def failed(self, name: str) -> None:
        """Count a wrong password. Raises `LimitsUnavailable`."""
        # In this order the names counted in a minute are never more than the logins in all.
        if self._windows.take(_ALL_LOGINS, limit=WRONG_IN_ALL).has_room:
            self._windows.take(_login_key(name), limit=WRONG_A_NAME)

    def succeeded(self, name: str) -> None:
        """Forget the wrong passwords of a name. Raises `LimitsUnavailable`."""
        self._windows.clear(_login_key(name), limit=WRONG_A_NAME)


_ALL_LOGINS = "logins"


def _rate_key(caller: Caller, bucket: Bucket) -> str:
    return f"calls/{bucket.value}/{caller.rate_owner}"


def _login_key(name: str) -> str:
    # Callers make up names of any length and content.
    return f"login/{sha256(name.encode(errors='surrogatepass')).hexdigest()}"


def _state(bucket: Bucket, limit: int, standing: Standing) -> RateState:
    return RateState(bucket, limit, max(0, limit - standing.used), standing.frees_at)


def _wait(standing: Standing, now: datetime) -> int:
    return max(1, ceil((standing.frees_at - now).total_seconds()))
