"""Errors about who may ask, how often and at what price, and about calls and jobs at the wrong time.

Part of the tree of `okapia.domain.errors`.
"""

from dataclasses import dataclass
from datetime import datetime

from okapia.domain.callers import Bucket, Scope
from okapia.domain.errors import InvalidRequest, OkapiaError

# --- who ------------------------------------------------------------------------------


class MissingCredentials(OkapiaError):
    """The call needs an API key or a token, and came without."""

    code = "missing_credentials"

    def __init__(self) -> None:
        super().__init__("expected an API key as `Authorization: Bearer KEY`, got none")


class InvalidCredentials(OkapiaError):
    """The key, token or password is wrong, expired or revoked, or its user disabled; it is not said which."""

    code = "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("the key, token or password is not valid: unknown, expired or revoked")


class ExpiredToken(InvalidCredentials):
    """The token is this server's own, and its time is over."""

    def __init__(self) -> None:
        # Its parent's words would say less; so below.
        OkapiaError.__init__(self, "the token has expired; expected one of a new login")


class MalformedToken(InvalidCredentials):
    """The text is neither a key nor a token that this server signed."""

    def __init__(self) -> None:
        OkapiaError.__init__(self, "expected a key or a token of this server, got something else")


class MissingScope(OkapiaError):
    """The credentials are good, and not for this."""

    code = "missing_scope"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"expected credentials with the scope {scope.value!r}")
        self.scope = scope


class OriginRefused(OkapiaError):
    """A server without accounts answers this machine's own programs only: no web page, no other name."""

    code = "origin_refused"


class SignatureInvalid(OkapiaError):
    """A signed URL was changed, is for something else, or was signed with another secret."""

    code = "signature_invalid"


class SignatureExpired(OkapiaError):
    """A signed URL is right and its time is over."""

    code = "signature_expired"


class TooManyLogins(OkapiaError):
    """Too many wrong passwords for one name."""

    code = "too_many_logins"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(f"too many wrong passwords; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


# --- how much -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RateState:
    """Where a caller stands in one bucket.

    Attributes:
        limit: calls a minute.
        remaining: calls that would be answered now.
        reset_at: when the oldest counted call leaves the window, and one more may be made; now when none is
            counted.
    """

    bucket: Bucket
    limit: int
    remaining: int
    reset_at: datetime


class RateLimited(OkapiaError):
    """More calls in a minute than the key or the plan allows."""

    code = "rate_limited"

    def __init__(self, state: RateState, *, retry_after_s: int) -> None:
        super().__init__(
            f"at most {state.limit} {state.bucket.value} calls a minute; try again in {retry_after_s} s"
        )
        self.state = state
        self.retry_after_s = retry_after_s


class CreditsSpent(OkapiaError):
    """The account has fewer credits left than the call would cost; nothing was charged."""

    code = "credits_spent"

    def __init__(self, *, needed: int, available: int) -> None:
        super().__init__(f"expected at least {needed} credits, {available} are left")
        self.needed = needed
        self.available = available


class NotInPlan(OkapiaError):
    """The account's plan does not have this operation."""

    code = "not_in_plan"


# --- when -----------------------------------------------------------------------------


class CallInFlight(OkapiaError):
    """The first call with this idempotency key is not finished yet."""

    code = "idempotency_in_flight"
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("the first call with this Idempotency-Key is still being answered")


class CallDiffers(OkapiaError):
    """The idempotency key was used for another call."""

    code = "idempotency_mismatch"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for another call; expected a new one for new content")


class Expired(OkapiaError):
    """What was asked for was there, and is not any more."""

    code = "expired"


class WrongState(OkapiaError):
    """The job, delivery or key is not in a state in which this can be done."""

    code = "wrong_state"


class JobNotFinished(WrongState):
    """The job has no result yet."""

    code = "job_not_finished"
    retry_after_s = 2


class NameTaken(InvalidRequest):
    """Somebody of that name is there already."""

    code = "name_taken"
