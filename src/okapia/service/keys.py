"""The keys that a caller may manage: their own, and an admin everybody's. No key may more than its maker."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection

from okapia.accounts.keys import OVERLAP, ApiKey, ApiKeys, NewKey
from okapia.accounts.users import User, Users, folded
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID, Bucket, Caller, Rates, Scope
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import MissingScope, WrongState

__all__ = ["OVERLAP", "ApiKey", "Keys", "NewKey"]


class Keys:
    """Lists, makes, rotates and revokes keys in the name of a caller."""

    def __init__(self, database: Database, *, users: Users, keys: ApiKeys) -> None:
        self._database = database
        self._users = users
        self._keys = keys

    def all(self, caller: Caller, *, user: str | None = None) -> list[ApiKey]:
        """Give the caller's keys, or those of `user`, the newest first.

        Raises:
            MissingScope: only admins see the keys of others.
            NotFound: nobody is called that.
        """
        with self._database.read() as connection:
            owner_id = self._owner(connection, caller, user).id if user is not None else caller.user_id
            return self._keys.all(connection, user_id=owner_id)

    def mint(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: Collection[Scope] | None,
        expires_at: datetime | None,
        rates: Rates,
        user: str | None,
        request_id: str | None,
    ) -> NewKey:
        """Make a key for the caller or, by an admin, for `user`.

        Args:
            scopes: None for all that both the caller's credentials and the user's role allow.

        Raises:
            MissingScope: a scope is not the caller's, or the key is for somebody else.
            InvalidRequest: as `ApiKeys.mint`, or a rate is above the caller's.
            WrongState: as `ApiKeys.mint`, or the server has no users yet.
            NotFound: nobody is called that.
        """
        with self._database.write() as connection:
            owner = self._owner(connection, caller, user)
            granted = caller.scopes & owner.role.scopes if scopes is None else frozenset(scopes)
            _check_scopes(caller, granted)
            return self._keys.mint(
                connection,
                owner,
                name=name,
                scopes=granted,
                expires_at=expires_at,
                rates=_within(caller, rates),
                actor=caller.name,
                request_id=request_id,
            )

    def rotate(self, caller: Caller, key_id: str, *, overlap: timedelta, request_id: str | None) -> NewKey:
        """Make a key like another, which ends after `overlap`.

        Raises:
            NotFound: there is no such key that the caller may manage.
            MissingScope: it may do what the caller may not.
            InvalidRequest: it has higher rates than the caller's.
            WrongState: it has ended, or was rotated before.
        """
        with self._database.write() as connection:
            key = self._mine(connection, caller, key_id)
            _check_scopes(caller, key.scopes)
            if _within(caller, key.rates) != key.rates:
                raise InvalidRequest("expected a key with rates like yours at most, it has higher ones")
            return self._keys.rotate(
                connection, key_id, overlap=overlap, actor=caller.name, request_id=request_id
            )

    def revoke(self, caller: Caller, key_id: str, *, request_id: str | None) -> ApiKey:
        """End a key now; raises `NotFound` where there is none that the caller may manage."""
        with self._database.write() as connection:
            self._mine(connection, caller, key_id)
            return self._keys.revoke(connection, key_id, actor=caller.name, request_id=request_id)

    def _owner(self, connection: Connection, caller: Caller, name: str | None) -> User:
        if name is None and caller.user_id == LOCAL_USER_ID:
            raise WrongState("there are no users to have keys; the first: okapia users add NAME --role admin")
        if name is not None and folded(name) != caller.name and Scope.ADMIN not in caller.scopes:
            raise MissingScope(Scope.ADMIN)
        return self._users.by_name(connection, caller.name if name is None else name)

    def _mine(self, connection: Connection, caller: Caller, key_id: str) -> ApiKey:
        key = self._keys.find(connection, key_id)
        if key.user_id != caller.user_id and Scope.ADMIN not in caller.scopes:
            raise NotFound("there is no such key")
        return key


def _check_scopes(caller: Caller, scopes: frozenset[Scope]) -> None:
    for scope in sorted(scopes - caller.scopes):
        raise MissingScope(scope)


def _within(caller: Caller, rates: Rates) -> Rates:
    """Give the rates with those of the caller's own key where nothing is said; an admin's are as asked.

    Raises:
        InvalidRequest: one is above the caller's.
    """
    if Scope.ADMIN in caller.scopes:
        return rates
    return Rates(**{bucket.value: _rate_within(caller, bucket, rates.of(bucket)) for bucket in Bucket})


def _rate_within(caller: Caller, bucket: Bucket, asked: int | None) -> int | None:
    most = caller.rates.of(bucket)
    if asked is None:
        return None if most == caller.plan.rates.of(bucket) else most
    if most is not None and asked > most:
        message = f"expected at most {most} {bucket.value} calls a minute, got {asked}"
        raise InvalidRequest(message, param="rates")
    return asked
