"""The pictures of jobs: where they come from, and how long they stay."""

from collections.abc import Callable, Iterator

import structlog

from okapia.domain.errors import SourceRefused
from okapia.domain.storage_errors import StorageError
from okapia.jobs.job import BLOBS, Job
from okapia.storage.blobs import BlobStore
from okapia.storage.secrets import Sealed, Vault

_log = structlog.get_logger(__name__)

Fetch = Callable[[str], bytes]
"""Gives the body that a URL leads to; raises `BadImage`."""


class Pictures:
    """Pictures that were uploaded, or that are fetched from where their job's owner says."""

    def __init__(self, blobs: BlobStore, *, vault: Vault, fetch: Fetch | None, max_bytes: int) -> None:
        """Read pictures of up to `max_bytes`; with `fetch` None, none are fetched."""
        self._blobs = blobs
        self._vault = vault
        self._fetch = fetch
        self._max_bytes = max_bytes

    def seal(self, source_url: str, *, job_id: str) -> bytes:
        """Give a URL as the database may hold it: it may be a secret.

        Raises:
            SourceRefused: no pictures are fetched here.
        """
        self._fetcher()
        return self._vault.seal(source_url, owner=job_id).encode()

    def read(self, job: Job) -> bytes:
        """Give a job's picture; one that is fetched is kept where the job keeps its picture.

        Raises:
            BadImage: it may not be fetched, or cannot be.
            PayloadTooLarge: it is larger than the limit.
            StorageError: it is not there, or cannot be read.
        """
        if job.sealed_source_url is None:
            return self._blobs.read(job.blob_key, max_bytes=self._max_bytes)
        url = self._vault.open(Sealed(job.sealed_source_url.decode()), owner=job.id)
        data = self._fetcher()(url)
        if job.keeps_image:
            self._blobs.put(job.blob_key, [data], max_bytes=self._max_bytes)
        return data

    def drop(self, blob_key: str) -> None:
        """Forget a picture; where the storage does not answer, the sweeper does it later."""
        try:
            self._blobs.delete(blob_key)
        except StorageError as error:
            _log.warning("picture_not_deleted", code=error.code)

    def stored(self) -> Iterator[str]:
        """Give the keys of all stored pictures; raises `StorageError` while iterating."""
        return self._blobs.keys(BLOBS)

    def _fetcher(self) -> Fetch:
        if self._fetch is None:
            raise SourceRefused("fetching URLs is off; set OKAPIA_FETCH_URLS")
        return self._fetch
