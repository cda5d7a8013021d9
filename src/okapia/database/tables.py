"""Every table, in one place. Stores read and write them; nobody else does.

Times are UTC. Columns named `*_id` of users are plain text ids, not numbers, so that rows of two databases
can be told apart. What is append-only (`credit_entries`, `audit_entries`) is kept so by triggers, made in
the first migration.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Moment(TypeDecorator[datetime]):
    """A time with its zone on both sides; SQLite, which has no zones, keeps it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse times that do not say their zone."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with its zone, got {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = String(64)
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only as INTEGER


VERDICTS = ("done", "damaged", "undecodable", "unsupported", "missing", "failed")
"""How pictures of a batch end (`okapia.batches.batch.Verdict`)."""


def _user(*, is_key: bool = False) -> "Column[str]":
    return Column("user_id", _Id, ForeignKey("users.id"), nullable=False, primary_key=is_key)


# --- who runs ---------------------------------------------------------------------------

instances = Table(
    "instances",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    comment="Processes that hold work: open holds, running jobs, deliveries under way, calls in flight.",
)

# --- people -----------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255)),
    Column("token_generation", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    comment="`token_generation` grows with each new password, which ends the tokens of before.",
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Id, primary_key=True),
    _user(),
    Column("name", String(255), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("last_four", String(4), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("rates", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
    Index(None, "user_id", "created_at"),
    comment="Only SHA-256 of a secret of 256 random bits is kept.",
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("details", JSON, nullable=False),
    Column("request_id", _Id),
    Index(None, "at"),
    comment="Append-only: who changed what about users, keys, credits and webhooks.",
)

# --- credits ----------------------------------------------------------------------------

billing = Table(
    "billing",
    metadata,
    _user(is_key=True),
    Column("plan", String(64), nullable=False),
    Column("period_started_at", Moment, nullable=False),
    Column("period_ends_at", Moment, nullable=False),
    Column("grace_expires_at", Moment),
    Column("included", BigInteger, nullable=False),
    Column("top_up", BigInteger, nullable=False),
    Column("grace", BigInteger, nullable=False),
    comment="What is left in each pool: the sum of its entries, changed in their transaction.",
)

credit_entries = Table(
    "credit_entries",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    _user(),
    Column("kind", String(16), nullable=False),
    Column("pool", String(16), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("credits", BigInteger, nullable=False),
    Column("images", BigInteger, nullable=False, default=0),
    Column("key_id", _Id),
    Column("at", Moment, nullable=False),
    Column("note", String(255), nullable=False, default=""),
    UniqueConstraint("user_id", "reference", "kind", "pool"),
    Index(None, "user_id", "kind", "at"),
    comment="Append-only. A pool's entries sum up to what is left in it.",
)

open_holds = Table(
    "open_holds",
    metadata,
    _user(is_key=True),
    Column("reference", String(255), primary_key=True),
    Column("images", BigInteger, nullable=False),
    Column("included", BigInteger, nullable=False),
    Column("top_up", BigInteger, nullable=False),
    Column("grace", BigInteger, nullable=False),
    Column("key_id", _Id),
    Column("instance_id", _Id, nullable=False),
    Column("period_started_at", Moment, nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "instance_id"),
    comment="Credits held and not yet settled or refunded; whoever deletes the row closes the hold.",
)

# --- calls and their answers --------------------------------------------------------------

idempotent_calls = Table(
    "idempotent_calls",
    metadata,
    _user(is_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("instance_id", _Id, nullable=False),
    Column("status", Integer),
    Column("headers", JSON),
    Column("body", LargeBinary),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "expires_at"),
    comment="`status` is null while the first call is in flight.",
)

answers = Table(
    "answers",
    metadata,
    Column("id", _Id, primary_key=True),
    _user(),
    Column("endpoint", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("image_key", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("completed_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "expires_at"),
    Index(None, "user_id", "created_at"),
    comment="Answers as they were given, JSON, until they expire; `image_key` names a kept picture.",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    _user(),
    Column("key_id", _Id),
    Column("operation", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("content_type", String(127), nullable=False),
    Column("client_reference_id", String(255)),
    Column("sequence_id", String(255)),
    Column("options", JSON, nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("sealed_source_url", LargeBinary),
    Column("keeps_image", Boolean, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("instance_id", _Id),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("created_at", Moment, nullable=False),
    Column("upload_expires_at", Moment),
    Column("submitted_at", Moment),
    Column("due_at", Moment),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("expires_at", Moment, nullable=False),
    Index(None, "user_id", "created_at", "id"),
    Index(None, "user_id", "state", "created_at", "id"),
    Index(None, "state", "priority", "submitted_at"),
    Index(None, "expires_at"),
    comment="One picture each, analysed when a worker is free. A job's answer has the job's id.",
)

# --- webhooks ---------------------------------------------------------------------------

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", _Id, primary_key=True),
    _user(),
    Column("url", Text, nullable=False),
    Column("description", String(255), nullable=False),
    Column("events", JSON, nullable=False),
    Column("detection_filter", JSON, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("sealed_old_secret", LargeBinary),
    Column("old_secret_ends_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Column("disabled_reason", String(255)),
    Column("failing_since", Moment),
    Index(None, "user_id", "created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("endpoint_id", _Id, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("event_id", _Id, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Moment),
    Column("instance_id", _Id),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("endpoint_id", "event_id"),
    Index(None, "endpoint_id", "state", "next_at"),
    Index(None, "state"),
    Index(None, "endpoint_id", "created_at", "id"),
    comment="One event on its way to one endpoint; the same event never goes there twice by itself.",
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("delivery_id", _Id, ForeignKey("webhook_deliveries.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("status", Integer),
    Column("error", String(255)),
    Column("milliseconds", Integer, nullable=False),
    Index(None, "delivery_id", "at"),
)

webhook_sequences = Table(
    "webhook_sequences",
    metadata,
    Column("endpoint_id", _Id, ForeignKey("webhook_endpoints.id"), primary_key=True),
    Column("sequence", String(255), primary_key=True),
    Column("seen_at", Moment, nullable=False),
    Index(None, "seen_at"),
    comment="Sequences that an endpoint was told of, so that a burst of pictures is one event.",
)

# --- batches ----------------------------------------------------------------------------

batches = Table(
    "batches",
    metadata,
    Column("id", _Id, primary_key=True),
    _user(),
    Column("key_id", _Id),
    Column("state", String(32), nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("request", JSON, nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("sealed_secret", LargeBinary),
    Column("worked_by", String(64), nullable=False, default=""),
    Column("outputs", JSON),
    Column("images", BigInteger),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Index(None, "user_id", "created_at", "id"),
    Index(None, "state", "priority", "created_at"),
    comment="Many pictures under one request; `sealed_secret` is forgotten when the batch ends. `worked_by` "
    "is empty, or names the only process that may work on it.",
)

storages = Table(
    "storages",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("address", Text, nullable=False),
    Column("sealed_secret", LargeBinary),
    Column("created_at", Moment, nullable=False),
    comment="Places in clouds that have a name on this server.",
)

batch_tasks = Table(
    "batch_tasks",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("batch_id", _Id, ForeignKey("batches.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("number", Integer, nullable=False),
    Column("images", Integer, nullable=False, default=0),
    Column("items", LargeBinary, nullable=False),
    Column("free_at", Moment),
    Column("token", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("instance_id", _Id),
    Column("finished_at", Moment),
    Column("file", String(255)),
    Column("file_sha256", String(64)),
    Column("file_bytes", BigInteger),
    *(Column(name, Integer, nullable=False, default=0) for name in VERDICTS),
    UniqueConstraint("batch_id", "kind", "number"),
    Index(None, "batch_id", "free_at", "number"),
    Index(None, "instance_id"),
    comment="Work that is leased: `free_at` is when it may be taken, in the future while somebody has it, "
    "null before it is ready and when it is finished. A commit needs the token of the last lease.",
)
