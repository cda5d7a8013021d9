"""Answers to calls that came with an `Idempotency-Key`: given once more instead of done once more.

After draft-ietf-httpapi-idempotency-key-header-07; kept for a day, as Stripe does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from okapia.database.engine import Database
from okapia.database.tables import idempotent_calls as calls
from okapia.domain.clock import Clock, utc_now
from okapia.domain.refusals import CallDiffers, CallInFlight
from okapia.storage.secrets import Sealed, Vault

KEPT = timedelta(hours=24)

NOBODY = ""
"""In place of a process: the call is answered, or may be made again."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer as it was given.

    Attributes:
        headers: those that belong to the content, not to the moment.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Replays:
    """Remembers calls by the user and their key; safe to use from several threads and processes."""

    def __init__(self, database: Database, *, vault: Vault, instance_id: str, clock: Clock = utc_now) -> None:
        """Keep answers with `Cache-Control: no-store` (new keys, say) only as `vault` seals them."""
        self._database = database
        self._vault = vault
        self._instance_id = instance_id
        self._clock = clock

    def begin(self, user_id: str, key: str, fingerprint: str) -> Replay | datetime:
        """Note that a call begins; gives the answer when there is one, else when it was first begun.

        Args:
            fingerprint: of everything that makes the call what it is.

        Raises:
            CallInFlight: the first call is being answered.
            CallDiffers: the key was used for another call.
        """
        now = self._clock()
        with self._database.write_soon() as connection:
            if self._note(connection, user_id, key, fingerprint, now):
                return now
            found = connection.execute(select(calls).where(_call(user_id, key))).one()
            if found.fingerprint != fingerprint:
                raise CallDiffers
            if found.status is None:
                self._take_over(connection, user_id, key)
                began_at: datetime = found.created_at
                return began_at
        return Replay(found.status, found.headers, self._opened(found, owner=f"{user_id} {key}"))

    def end(self, user_id: str, key: str, answer: Replay | None) -> None:
        """Keep the answer to a call that began; without one, the call may be made again."""
        mine = _call(user_id, key) & (calls.c.instance_id == self._instance_id)
        values: dict[str, object] = {"instance_id": NOBODY}
        if answer is not None:
            body = self._sealed(answer, owner=f"{user_id} {key}")
            values |= {"status": answer.status, "headers": answer.headers, "body": body}
        with self._database.write_soon() as connection:
            connection.execute(update(calls).where(mine).values(values))

    def release(self, connection: Connection, instance_id: str) -> int:
        """Let the calls that a dead process was answering be made again; gives how many."""
        lost = update(calls).where(calls.c.instance_id == instance_id)
        return connection.execute(lost.values(instance_id=NOBODY)).rowcount

    def sweep(self, connection: Connection) -> int:
        """Forget what is older than a day; gives how many."""
        return connection.execute(delete(calls).where(calls.c.expires_at <= self._clock())).rowcount

    def _sealed(self, answer: Replay, *, owner: str) -> bytes:
        if not _is_secret(answer.headers):
            return answer.body
        return self._vault.seal(answer.body.decode(), owner=owner).encode()

    def _opened(self, row: Row[tuple[object, ...]], *, owner: str) -> bytes:
        body: bytes = row.body
        if not _is_secret(row.headers):
            return body
        return self._vault.open(Sealed(body.decode()), owner=owner).encode()

    def _note(self, connection: Connection, user_id: str, key: str, fingerprint: str, now: datetime) -> bool:
        """Write the call down; gives False when it is written already."""
        connection.execute(delete(calls).where(_call(user_id, key) & (calls.c.expires_at <= now)))
        row = {"user_id": user_id, "key": key, "fingerprint": fingerprint, "instance_id": self._instance_id}
        try:
            with connection.begin_nested():
                connection.execute(insert(calls).values(**row, created_at=now, expires_at=now + KEPT))
        except IntegrityError:
            return False
        return True

    def _take_over(self, connection: Connection, user_id: str, key: str) -> None:
        """Answer a call that nobody is answering any more; raises `CallInFlight` when somebody is."""
        free = _call(user_id, key) & (calls.c.instance_id == NOBODY)
        taken = connection.execute(update(calls).where(free).values(instance_id=self._instance_id))
        if not taken.rowcount:
            raise CallInFlight


def _is_secret(headers: Mapping[str, str]) -> bool:
    return "no-store" in headers.get("cache-control", "")


def _call(user_id: str, key: str) -> ColumnElement[bool]:
    return and_(calls.c.user_id == user_id, calls.c.key == key)
