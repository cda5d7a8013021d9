"""Batches: many pictures under one request, worked off in leased tasks.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from okapia.database.tables import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the three tables."""
    _make_batches()
    _make_batch_tasks()
    _make_storages()


def _make_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("worked_by", sa.String(length=64), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=True),
        sa.Column("images", sa.BigInteger(), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_batches_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        comment=(
            "Many pictures under one request; `sealed_secret` is forgotten when the batch ends. `worked_by` "
            "is empty, or names the only process that may work on it."
        ),
    )
    op.create_index(
        op.f("ix_batches_state_priority_created_at"),
        "batches",
        ["state", "priority", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_batches_user_id_created_at_id"), "batches", ["user_id", "created_at", "id"], unique=False
    )


def _make_batch_tasks() -> None:
    op.create_table(
        "batch_tasks",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("free_at", Moment(timezone=True), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=True),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.Column("file", sa.String(length=255), nullable=True),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("file_bytes", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.Column("undecodable", sa.Integer(), nullable=False),
        sa.Column("unsupported", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_tasks_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_tasks")),
        sa.UniqueConstraint("batch_id", "kind", "number", name=op.f("uq_batch_tasks_batch_id_kind_number")),
        comment=(
            "Work that is leased: `free_at` is when it may be taken, in the future while somebody has it, "
            "null before it is ready and when it is finished. A commit needs the token of the last lease."
        ),
    )
    op.create_index(
        op.f("ix_batch_tasks_batch_id_free_at_number"),
        "batch_tasks",
        ["batch_id", "free_at", "number"],
        unique=False,
    )
    op.create_index(op.f("ix_batch_tasks_instance_id"), "batch_tasks", ["instance_id"], unique=False)


def _make_storages() -> None:
    op.create_table(
        "storages",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_storages")),
        comment="Places in clouds that have a name on this server.",
    )
