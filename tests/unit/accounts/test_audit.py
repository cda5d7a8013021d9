"""The audit log: an entry a change, and none is ever taken out."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Delete, Update, delete, update
from sqlalchemy.exc import DBAPIError

from okapia.accounts.audit import AuditEntry
from okapia.database.engine import Database
from okapia.database.tables import audit_entries
from tests.unit.accounts.people import NOON, Office


@pytest.fixture
def office(database: Database) -> Office:
    """An office in which three things were done, an hour apart."""
    office = Office(database)
    for number in range(3):
        with database.write() as connection:
            office.audit.record(
                connection,
                actor="ada",
                action="credits.grant",
                subject="user bob",
                details={"credits": number},
                request_id=f"req-{number}",
            )
        office.clock.go(hours=1)
    return office


def entries(office: Office, *, since: datetime | None = None, limit: int = 10) -> list[AuditEntry]:
    with office.database.read() as connection:
        return office.audit.entries(connection, since=since, limit=limit)


def credits_of(found: list[AuditEntry]) -> list[object]:
    return [entry.details["credits"] for entry in found]


def test_an_entry_says_who_did_what_to_what_and_when(office: Office) -> None:
    *_, oldest = entries(office)

    assert (oldest.at, oldest.actor, oldest.action) == (NOON, "ada", "credits.grant")
    assert (oldest.subject, oldest.details, oldest.request_id) == ("user bob", {"credits": 0}, "req-0")


def test_the_newest_entries_come_first(office: Office) -> None:
    assert credits_of(entries(office)) == [2, 1, 0]
    assert credits_of(entries(office, limit=2)) == [2, 1]


def test_entries_before_a_time_are_left_out(office: Office) -> None:
    assert credits_of(entries(office, since=NOON + timedelta(hours=1))) == [2, 1]


def test_an_entry_goes_when_its_change_does(office: Office) -> None:
    with office.database.write() as connection:
        office.audit.record(connection, actor="ada", action="user.add", subject="user eve")
        connection.rollback()

    assert len(entries(office)) == 3


@pytest.mark.parametrize("change", [update(audit_entries).values(actor="eve"), delete(audit_entries)])
def test_nothing_is_changed_or_taken_out(office: Office, change: Update | Delete) -> None:
    before = entries(office)

    with pytest.raises(DBAPIError, match="append-only"), office.database.write() as connection:
        connection.execute(change)

    assert entries(office) == before
