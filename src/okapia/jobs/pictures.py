"""Where a job's picture comes from, and how long it stays."""

from collections.abc import Callable, Iterable, Iterator

import structlog

from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import (
    EmptyImage,
    PayloadTooLarge,
    SourceRefused,
    StorageError,
    UnsupportedMediaType,
)
from okapia.domain.refusals import Expired, WrongState
from okapia.jobs.job import BLOBS, Job
from okapia.storage.blobs import BlobStore, SignedUpload
from okapia.storage.secrets import Sealed, Vault
from okapia.storage.signing import UrlSigner

_log = structlog.get_logger(__name__)

Fetch = Callable[[str], bytes]
"""Gives the body that a URL leads to; raises `BadImage`."""


class Pictures:
    """The pictures of jobs: uploaded by who has a signed URL, or fetched from where the owner says."""

    def __init__(
        self,
        blobs: BlobStore,
        *,
        vault: Vault,
        signer: UrlSigner,
        fetch: Fetch | None,
        max_bytes: int,
        clock: Clock = utc_now,
    ) -> None:
        """Keep pictures of up to `max_bytes`; with `fetch` None, none are fetched."""
        self._blobs = blobs
        self._vault = vault
        self._signer = signer
        self._fetch = fetch
        self._clock = clock
        self._max_bytes = max_bytes

    @property
    def max_bytes(self) -> int:
        """Of a picture."""
        return self._max_bytes

    def seal(self, source_url: str, *, job_id: str) -> bytes:
        """Give a URL as the database may hold it: it may be a secret.

        Raises:
            SourceRefused: no pictures are fetched here.
        """
        self._fetcher()
        return self._vault.seal(source_url, owner=job_id).encode()

    def invite(self, job: Job, *, base_url: str, path: str) -> SignedUpload:
        """Say how a job's picture is to be uploaded, by whoever holds what is said.

        Args:
            base_url, path: of the route that takes it where no cloud does.

        Raises:
            Expired: it is too late.
            StorageError: the cloud does not sign now.
        """
        expires_at, now = job.upload_expires_at, self._clock()
        if expires_at is None or expires_at <= now:
            raise Expired("expected a job that waits for its picture, its time is over")
        left_s = max(1, int((expires_at - now).total_seconds()))
        signed = self._blobs.upload_url(job.blob_key, content_type=job.content_type, expires_in_s=left_s)
        if signed is not None:
            return signed
        query = self._signer.sign(
            path,
            method="PUT",
            content_type=job.content_type,
            max_bytes=self._max_bytes,
            expires_at=int(expires_at.timestamp()),
        )
        return SignedUpload(f"{base_url}{path}?{query}", {"Content-Type": job.content_type})

    def check_upload(self, path: str, query: str, *, content_type: str) -> None:
        """Let an upload to our own route in.

        Raises:
            SignatureInvalid, SignatureExpired: its URL is not as it was signed, or its time is over.
            UnsupportedMediaType: it is not of the type that the job was made with.
        """
        allowed = self._signer.verify(path, query, method="PUT", now=self._clock().timestamp())
        kind = content_type.partition(";")[0].strip().lower()
        if kind != allowed.content_type.lower():
            raise UnsupportedMediaType(expected=allowed.content_type, actual=kind)

    def take(self, job: Job, chunks: Iterable[bytes]) -> None:
        """Keep an upload, in place of one that came before.

        Raises:
            EmptyImage: there are no bytes.
            PayloadTooLarge: there are more than `max_bytes`; the rest is not asked for.
            StorageError: it cannot be kept. After any error what was there before is there still.
        """
        self._blobs.put(job.blob_key, _some(chunks), max_bytes=self._max_bytes)

    def check_there(self, job: Job) -> None:
        """Look whether a job's picture was uploaded; what a cloud took has been seen by nobody yet.

        Raises:
            WrongState: there is none.
            EmptyImage, PayloadTooLarge: it is none, or too large.
        """
        size = self._blobs.size(job.blob_key)
        if size is None:
            raise WrongState("expected the picture to be uploaded before the job is submitted")
        if size == 0:
            raise EmptyImage
        if size > self._max_bytes:
            raise PayloadTooLarge(max_bytes=self._max_bytes)

    def read(self, job: Job) -> bytes:
        """Give a job's picture; one that is fetched is kept where the job keeps its picture.

        Raises:
            BadImage: it may not be fetched, or cannot be.
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


def _some(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the chunks; raises `EmptyImage` at the end when there was nothing in them."""
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        yield chunk
    if not n_bytes:
        raise EmptyImage
