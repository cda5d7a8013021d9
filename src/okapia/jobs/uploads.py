"""Pictures that are uploaded by whoever has a signed URL: to a cloud, or to a route of ours."""

from collections.abc import Iterable, Iterator

from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import EmptyImage, PayloadTooLarge, UnsupportedMediaType
from okapia.domain.refusals import Expired, WrongState
from okapia.jobs.job import Job
from okapia.storage.blobs import BlobStore, SignedUpload
from okapia.storage.signing import UrlSigner


class Uploads:
    """Takes the pictures of jobs."""

    def __init__(
        self, blobs: BlobStore, *, signer: UrlSigner, max_bytes: int, clock: Clock = utc_now
    ) -> None:
        """Take pictures of up to `max_bytes`."""
        self._blobs = blobs
        self._signer = signer
        self._max_bytes = max_bytes
        self._clock = clock

    @property
    def max_bytes(self) -> int:
        """Of a picture."""
        return self._max_bytes

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
        to_cloud = self._blobs.upload_url(job.blob_key, content_type=job.content_type, expires_in_s=left_s)
        if to_cloud is not None:
            return to_cloud
        query = self._signer.sign(
            path,
            method="PUT",
            content_type=job.content_type,
            max_bytes=self._max_bytes,
            expires_at=int(expires_at.timestamp()),
        )
        return SignedUpload(f"{base_url}{path}?{query}", {"Content-Type": job.content_type})

    def check(self, path: str, query: str, *, content_type: str) -> None:
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


def _some(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the chunks; raises `EmptyImage` at the end when there was nothing in them."""
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        yield chunk
    if not n_bytes:
        raise EmptyImage
