"""The audit log: who changed what about users, keys, credits and webhooks. Nothing is ever taken out.

An entry is written in the transaction of its change, so that there is neither without the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from okapia.database.tables import audit_entries
from okapia.domain.clock import Clock, utc_now

COMMAND_LINE = "command line"
"""The actor of what is changed on the server's own machine."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change.

    Attributes:
        number: grows with every entry.
        actor: the name of the user who made the change, or `COMMAND_LINE`.
        action: what was done, as `user.disable`.
        subject: what it was done to, as `user ada` or `key 4k7mnp2q9xwz`.
        details: what else is worth knowing; never a secret.
        request_id: of the call that made the change; None for the command line.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, object]
    request_id: str | None


class Audit:
    """Writes and reads the log."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def record(
        self,
        connection: Connection,
        *,
        actor: str,
        action: str,
        subject: str,
        details: Mapping[str, object] | None = None,
        request_id: str | None = None,
    ) -> None:
        """Write an entry; `details` hold what JSON can, and no secret."""
        entry = {
            "at": self._clock(),
            "actor": actor,
            "action": action,
            "subject": subject,
            "details": dict(details or {}),
            "request_id": request_id,
        }
        connection.execute(insert(audit_entries).values(entry))

    def entries(
        self, connection: Connection, *, since: datetime | None = None, limit: int
    ) -> list[AuditEntry]:
        """Give at most `limit` entries, the newest first, none older than `since`."""
        query = select(audit_entries).order_by(audit_entries.c.number.desc()).limit(limit)
        if since is not None:
            query = query.where(audit_entries.c.at >= since)
        return [AuditEntry(**row) for row in connection.execute(query).mappings()]
