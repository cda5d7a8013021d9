"""Errors of what keeps things: the database, the store of uploads, the secrets.

Part of the tree of `okapia.domain.errors`.
"""

from okapia.domain.errors import OkapiaError


class DatabaseUnavailable(OkapiaError):
    """The database cannot be reached, or stayed locked; nothing was changed."""

    code = "database_unavailable"
    retry_after_s = 5

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database does not answer: {reason}")


class StorageError(OkapiaError):
    """What holds uploads, results and secrets does not do what it should."""

    code = "storage_error"


class StorageUnavailable(StorageError):
    """The storage does not answer or is full; the same call may go through later."""

    code = "storage_unavailable"
    retry_after_s = 30


class StorageRefused(StorageError):
    """The storage says no, and will again: wrong credentials, missing rights, no such bucket or container."""

    code = "storage_refused"


class BlobMissing(StorageError):
    """Nothing is stored under this key."""

    code = "blob_missing"

    def __init__(self) -> None:
        super().__init__("expected a stored file, there is none: never uploaded, or deleted since")


class SecretDamaged(StorageError):
    """A secret kept on disk or in the database is not what was written, or was sealed with another key."""

    code = "secret_damaged"


class BackupDamaged(StorageError):
    """A backup is cut off, was changed, or is none; nothing was restored."""

    code = "backup_damaged"


class HomeNotEmpty(StorageError):
    """A backup is restored into an empty place only."""

    code = "home_not_empty"
