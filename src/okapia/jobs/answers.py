"""Answers as they were given, kept for as long as the contract says."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from okapia.database.tables import answers
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import NotFound

RETENTION = timedelta(days=30)
"""How long an answer is kept, from the moment it was asked for, where nothing else is set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        id: a UUID of version 4, also that of the job that it comes from.
        endpoint: the path of the call that was answered: `/v1/detect`.
        body: JSON, as it was given.
        image_key: the blob of the picture, where it is kept with the answer.
    """

    id: str
    user_id: str
    endpoint: str
    body: bytes = field(repr=False)
    created_at: datetime
    completed_at: datetime
    expires_at: datetime
    image_key: str | None = None


class Answers:
    """Keeps answers. Somebody else's id, an unknown and an expired one are the same: `NotFound`."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def keep(self, connection: Connection, answer: Answer) -> None:
        connection.execute(
            insert(answers).values(
                id=answer.id,
                user_id=answer.user_id,
                endpoint=answer.endpoint,
                body=answer.body,
                image_key=answer.image_key,
                created_at=answer.created_at,
                completed_at=answer.completed_at,
                expires_at=answer.expires_at,
            )
        )

    def get(self, connection: Connection, user_id: str, answer_id: str) -> Answer:
        """Give an answer of a user.

        Raises:
            NotFound: there is none of that id, or not any more.
        """
        row = connection.execute(
            select(answers).where(
                answers.c.id == answer_id,
                answers.c.user_id == user_id,
                answers.c.expires_at > self._clock(),
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"expected the id of an answer, got {answer_id}: unknown, or expired")
        return Answer(
            id=row.id,
            user_id=row.user_id,
            endpoint=row.endpoint,
            body=row.body,
            created_at=row.created_at,
            completed_at=row.completed_at,
            expires_at=row.expires_at,
            image_key=row.image_key,
        )

    def delete(self, connection: Connection, user_id: str, answer_id: str) -> str | None:
        """Forget an answer; gives the blob of its picture, to be deleted once this is committed.

        Raises:
            NotFound: there is none of that id, or not any more.
        """
        answer = self.get(connection, user_id, answer_id)
        connection.execute(delete(answers).where(answers.c.id == answer.id))
        return answer.image_key

    def sweep(self, connection: Connection, *, most: int = 500) -> list[str | None]:
        """Forget up to `most` expired answers; gives each one's picture, to be deleted next."""
        expired = select(answers.c.id).where(answers.c.expires_at <= self._clock()).limit(most)
        gone = delete(answers).where(answers.c.id.in_(expired)).returning(answers.c.image_key)
        return list(connection.execute(gone).scalars())
