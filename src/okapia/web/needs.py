"""What a route needs of its caller, declared above the function."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from okapia.domain.callers import Bucket, Scope
from okapia.domain.errors import InvalidSettings


class When(Enum):
    """When credentials are asked for.

    `OFF_LOOPBACK`: not from programs on this machine, where the server listens to nobody else.
    `FOR_MORE`: never, but those who have them are told more.
    """

    ALWAYS = "always"
    OFF_LOOPBACK = "off_loopback"
    FOR_MORE = "for_more"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Needs:
    """A route's requirements.

    Attributes:
        bucket: what the call counts towards; None is not counted.
        max_body_bytes: in place of the server's limit.
    """

    scope: Scope | None = None
    bucket: Bucket | None = None
    when: When = When.ALWAYS
    max_body_bytes: int | None = None


class _Named(Protocol):
    __name__: str


E = TypeVar("E", bound=_Named)


def needs(
    scope: Scope,
    bucket: Bucket | None = Bucket.REFERENCE,
    *,
    when: When = When.ALWAYS,
    max_body_bytes: int | None = None,
) -> Callable[[E], E]:
    """Declare that a route needs credentials with `scope`, and counts towards `bucket`."""
    return _declare(Needs(scope, bucket, when, max_body_bytes))


def public(endpoint: E) -> E:
    """Declare that a route answers anybody."""
    return _declare(Needs(when=When.NEVER))(endpoint)


def signed(*, max_body_bytes: int) -> Callable[[E], E]:
    """Declare that a route answers whoever has a URL that the server signed, which it verifies itself."""
    return _declare(Needs(when=When.NEVER, max_body_bytes=max_body_bytes))


def needs_of(endpoint: Callable[..., object]) -> Needs:
    """Give what was declared.

    Raises:
        InvalidSettings: nothing was: such a route must not start.
    """
    declared = getattr(endpoint, "needs", None)
    if not isinstance(declared, Needs):
        raise InvalidSettings(f"the route {endpoint.__name__} declares none of `needs`, `signed`, `public`")
    return declared


def _declare(declared: Needs) -> Callable[[E], E]:
    def mark(endpoint: E) -> E:
        setattr(endpoint, "needs", declared)  # noqa: B010 - a plain assignment has no type
        return endpoint

    return mark
