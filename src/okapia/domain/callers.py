"""Who asks, and what they may: roles, scopes, plans and their limits."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One thing that a key may do.

    `READ` covers results, jobs' state and the reference lists; `ADMIN` the models, the metrics and
    everybody's keys and credits.
    """

    DETECT = "detect"
    FILTER = "filter"
    OCR = "ocr"
    JOBS = "jobs"
    READ = "read"
    USAGE = "usage"
    WEBHOOKS = "webhooks"
    KEYS = "keys"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person may do at most; their keys may do that or less."""

    ADMIN = "admin"
    USER = "user"
    VIEWER = "viewer"

    @property
    def scopes(self) -> frozenset[Scope]:
        match self:
            case Role.ADMIN:
                return frozenset(Scope)
            case Role.USER:
                return frozenset(Scope) - {Scope.ADMIN}
            case Role.VIEWER:
                return frozenset({Scope.READ, Scope.USAGE})


class Bucket(StrEnum):
    """What is counted together against a rate."""

    INFERENCE = "inference"
    REFERENCE = "reference"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls a minute, one number a bucket; None means as many as the machine can answer."""

    inference: int | None = None
    reference: int | None = None
    usage: int | None = None

    def of(self, bucket: Bucket) -> int | None:
        match bucket:
            case Bucket.INFERENCE:
                return self.inference
            case Bucket.REFERENCE:
                return self.reference
            case Bucket.USAGE:
                return self.usage


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account may use.

    Attributes:
        included: credits that each period begins with; None means that nothing is ever refused.
        grace: credits that may still be spent when all others are, for `grace_days` from the first of them.
        has_ocr: whether text in pictures may be read.
    """

    name: str
    included: int | None = None
    grace: int = 0
    grace_days: int = 7
    rates: Rates = Rates()
    has_ocr: bool = True


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose credentials were checked.

    Attributes:
        scopes: what this call's credentials allow, within the person's role.
        rates: of the key where it has its own, else of the plan.
        key_id: None for a token, and for the local user of a server without accounts.
    """

    user_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    plan: Plan
    rates: Rates = Rates()
    key_id: str | None = None

    @property
    def rate_owner(self) -> str:
        """What is counted against a rate: the key, or the person where there is none."""
        return self.key_id or self.user_id


LOCAL_USER_ID = "local"
"""The user that everything belongs to while a server has no accounts; made by the first migration."""
