"""Jobs as rows of their table, and the one statement that moves a job from state to state."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, RowMapping, update

from okapia.database.tables import jobs
from okapia.domain.types import Failure
from okapia.jobs.job import Job, Operation, State


def values_of(job: Job) -> dict[str, object]:
    """Give a new job's columns."""
    return {
        "id": job.id,
        "user_id": job.user_id,
        "key_id": job.key_id,
        "operation": job.operation.value,
        "state": job.state.value,
        "filename": job.filename,
        "content_type": job.content_type,
        "client_reference_id": job.client_reference_id,
        "sequence_id": job.sequence_id,
        "options": dict(job.options),
        "priority": job.priority,
        "sealed_source_url": job.sealed_source_url,
        "keeps_image": job.keeps_image,
        "created_at": job.created_at,
        "upload_expires_at": job.upload_expires_at,
        "submitted_at": job.submitted_at,
        "due_at": job.due_at,
        "expires_at": job.expires_at,
    }


def job_of(row: RowMapping) -> Job:
    """Read a job's row."""
    return Job(
        id=row["id"],
        user_id=row["user_id"],
        operation=Operation(row["operation"]),
        state=State(row["state"]),
        filename=row["filename"],
        content_type=row["content_type"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        options=row["options"],
        key_id=row["key_id"],
        client_reference_id=row["client_reference_id"],
        sequence_id=row["sequence_id"],
        priority=row["priority"],
        sealed_source_url=row["sealed_source_url"],
        keeps_image=row["keeps_image"],
        attempts=row["attempts"],
        instance_id=row["instance_id"],
        failure=Failure(row["error_code"], row["error_message"]) if row["error_code"] else None,
        upload_expires_at=row["upload_expires_at"],
        submitted_at=row["submitted_at"],
        due_at=row["due_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def is_in(states: Iterable[State]) -> ColumnElement[bool]:
    """Say that a job is in one of the states."""
    return jobs.c.state.in_([state.value for state in states])


def is_none_of(states: Iterable[State]) -> ColumnElement[bool]:
    """Say that a job is in none of the states, where the database should look by what else is asked.

    Given a list of states, SQLite goes through all jobs in them, whatever else would be narrower.
    """
    return jobs.c.state.not_in([state.value for state in states])


def move(
    connection: Connection, to: State, values: Mapping[str, object], *only: ColumnElement[bool]
) -> list[Job]:
    """Bring jobs into a state, those for which `only` holds and which may come there; gives them.

    One statement: of two who move a job at once, the database lets one.
    """
    may_come = is_none_of(set(State) - to.before)
    moved = update(jobs).where(may_come, *only).values(state=to.value, **values).returning(jobs)
    return [job_of(row) for row in connection.execute(moved).mappings()]
