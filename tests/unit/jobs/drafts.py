"""Jobs and a clock for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import insert

from okapia.database.engine import Database
from okapia.database.tables import users
from okapia.domain.callers import LOCAL_USER_ID
from okapia.jobs.job import Job, Operation, State

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ADA, BEN = "ada", "ben"


class Watch:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, span: timedelta) -> None:
        self.now += span


def add_people(database: Database) -> None:
    """Make the users `ada` and `ben`."""
    with database.write() as connection:
        rows = [{"id": name, "name": name, "role": "user", "created_at": NOON} for name in (ADA, BEN)]
        connection.execute(insert(users), rows)


def draft(user_id: str = LOCAL_USER_ID, *, created_at: datetime = NOON) -> Job:
    """A job that waits for its picture for a day, and is kept for thirty."""
    return Job(
        id=str(uuid4()),
        user_id=user_id,
        operation=Operation.DETECT,
        state=State.AWAITING_UPLOAD,
        filename="fox.jpg",
        content_type="image/jpeg",
        options={"threshold": 0.2, "country": "DNK"},
        created_at=created_at,
        upload_expires_at=created_at + DAY,
        expires_at=created_at + 30 * DAY,
    )


def queued(job: Job, *, priority: int = 0) -> Job:
    """The same job as if it had been submitted when it was made."""
    return replace(
        job,
        state=State.QUEUED,
        priority=priority,
        upload_expires_at=None,
        submitted_at=job.created_at,
        due_at=job.created_at,
    )
