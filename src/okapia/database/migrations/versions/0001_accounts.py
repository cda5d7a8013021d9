"""Users, keys, credits, calls, jobs and webhooks.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from okapia.database.tables import Moment

revision = "0001"
down_revision = None

_APPEND_ONLY = ("credit_entries", "audit_entries")


def upgrade() -> None:
    """Make the tables, the triggers that keep two of them append-only, and the local user."""
    for make in (
        _make_audit_entries,
        _make_instances,
        _make_users,
        _make_answers,
        _make_api_keys,
        _make_billing,
        _make_credit_entries,
        _make_idempotent_calls,
        _make_jobs,
        _make_open_holds,
        _make_webhook_endpoints,
        _make_webhook_deliveries,
        _make_webhook_sequences,
        _make_webhook_attempts,
    ):
        make()
    for name in _APPEND_ONLY:
        _forbid_changes(name)
    op.execute(
        "INSERT INTO users (id, name, role, token_generation, created_at) "
        "VALUES ('local', 'local', 'admin', 0, CURRENT_TIMESTAMP)"
    )
    op.execute(
        "INSERT INTO billing (user_id, plan, period_started_at, period_ends_at, included, top_up, grace) "
        "VALUES ('local', 'unlimited', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 0, 0, 0)"
    )


def _forbid_changes(name: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{change.lower()} BEFORE {change} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {name}_stays() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{name} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_stays()"
    )


def _make_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entries")),
        comment="Append-only: who changed what about users, keys, credits and webhooks.",
    )
    op.create_index(op.f("ix_audit_entries_at"), "audit_entries", ["at"], unique=False)


def _make_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started_at", Moment(timezone=True), nullable=False),
        sa.Column("seen_at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        comment="Processes that hold work: open holds, running jobs, deliveries under way, calls in flight.",
    )


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("token_generation", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("disabled_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        comment="`token_generation` grows with each new password, which ends the tokens of before.",
    )


def _make_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("image_key", sa.String(length=255), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("completed_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_answers_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        comment="Answers as they were given, JSON, until they expire; `image_key` names a kept picture.",
    )
    op.create_index(op.f("ix_answers_expires_at"), "answers", ["expires_at"], unique=False)
    op.create_index(op.f("ix_answers_user_id_created_at"), "answers", ["user_id", "created_at"], unique=False)


def _make_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("last_four", sa.String(length=4), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("rates", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=True),
        sa.Column("revoked_at", Moment(timezone=True), nullable=True),
        sa.Column("last_used_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        comment="Only SHA-256 of a secret of 256 random bits is kept.",
    )
    op.create_index(
        op.f("ix_api_keys_user_id_created_at"), "api_keys", ["user_id", "created_at"], unique=False
    )


def _make_billing() -> None:
    op.create_table(
        "billing",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("period_started_at", Moment(timezone=True), nullable=False),
        sa.Column("period_ends_at", Moment(timezone=True), nullable=False),
        sa.Column("grace_expires_at", Moment(timezone=True), nullable=True),
        sa.Column("included", sa.BigInteger(), nullable=False),
        sa.Column("top_up", sa.BigInteger(), nullable=False),
        sa.Column("grace", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_billing_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_billing")),
        comment="What is left in each pool: the sum of its entries, changed in their transaction.",
    )


def _make_credit_entries() -> None:
    op.create_table(
        "credit_entries",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("pool", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_credit_entries_user_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint(
            "user_id", "reference", "kind", "pool", name=op.f("uq_credit_entries_user_id_reference_kind_pool")
        ),
        comment="Append-only. A pool's entries sum up to what is left in it.",
    )
    op.create_index(
        op.f("ix_credit_entries_user_id_kind_at"), "credit_entries", ["user_id", "kind", "at"], unique=False
    )


def _make_idempotent_calls() -> None:
    op.create_table(
        "idempotent_calls",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotent_calls_user_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotent_calls")),
        comment="`status` is null while the first call is in flight.",
    )
    op.create_index(op.f("ix_idempotent_calls_expires_at"), "idempotent_calls", ["expires_at"], unique=False)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("client_reference_id", sa.String(length=255), nullable=True),
        sa.Column("sequence_id", sa.String(length=255), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("sealed_source_url", sa.LargeBinary(), nullable=True),
        sa.Column("keeps_image", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("upload_expires_at", Moment(timezone=True), nullable=True),
        sa.Column("submitted_at", Moment(timezone=True), nullable=True),
        sa.Column("due_at", Moment(timezone=True), nullable=True),
        sa.Column("started_at", Moment(timezone=True), nullable=True),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_jobs_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        comment="One picture each, analysed when a worker is free. A job's answer has the job's id.",
    )
    op.create_index(op.f("ix_jobs_expires_at"), "jobs", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_jobs_state_priority_submitted_at"),
        "jobs",
        ["state", "priority", "submitted_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_jobs_user_id_created_at_id"), "jobs", ["user_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_jobs_user_id_state_created_at_id"),
        "jobs",
        ["user_id", "state", "created_at", "id"],
        unique=False,
    )


def _make_open_holds() -> None:
    op.create_table(
        "open_holds",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("included", sa.BigInteger(), nullable=False),
        sa.Column("top_up", sa.BigInteger(), nullable=False),
        sa.Column("grace", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("period_started_at", Moment(timezone=True), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_open_holds_user_id")),
        sa.PrimaryKeyConstraint("user_id", "reference", name=op.f("pk_open_holds")),
        comment="Credits held and not yet settled or refunded; whoever deletes the row closes the hold.",
    )
    op.create_index(op.f("ix_open_holds_instance_id"), "open_holds", ["instance_id"], unique=False)


def _make_webhook_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("detection_filter", sa.JSON(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_ends_at", Moment(timezone=True), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("disabled_at", Moment(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.String(length=255), nullable=True),
        sa.Column("failing_since", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_webhook_endpoints_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(
        op.f("ix_webhook_endpoints_user_id_created_at"),
        "webhook_endpoints",
        ["user_id", "created_at"],
        unique=False,
    )


def _make_webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Moment(timezone=True), nullable=True),
        sa.Column("instance_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "endpoint_id", "event_id", name=op.f("uq_webhook_deliveries_endpoint_id_event_id")
        ),
        comment="One event on its way to one endpoint; the same event never goes there twice by itself.",
    )
    op.create_index(
        op.f("ix_webhook_deliveries_endpoint_id_created_at_id"),
        "webhook_deliveries",
        ["endpoint_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_webhook_deliveries_endpoint_id_state_next_at"),
        "webhook_deliveries",
        ["endpoint_id", "state", "next_at"],
        unique=False,
    )
    op.create_index(op.f("ix_webhook_deliveries_state"), "webhook_deliveries", ["state"], unique=False)


def _make_webhook_sequences() -> None:
    op.create_table(
        "webhook_sequences",
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.String(length=255), nullable=False),
        sa.Column("seen_at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_sequences_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "sequence", name=op.f("pk_webhook_sequences")),
        comment="Sequences that an endpoint was told of, so that a burst of pictures is one event.",
    )
    op.create_index(op.f("ix_webhook_sequences_seen_at"), "webhook_sequences", ["seen_at"], unique=False)


def _make_webhook_attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery_id", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=255), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_attempts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_attempts")),
    )
    op.create_index(
        op.f("ix_webhook_attempts_delivery_id_at"), "webhook_attempts", ["delivery_id", "at"], unique=False
    )
