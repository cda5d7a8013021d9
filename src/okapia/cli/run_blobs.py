"""The blob store of a run: where it keeps nothing more, the run stops, for more inference would be lost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from okapia.cli.run_halt import Halt
from okapia.storage.blobs import BlobStore, SignedUpload


@dataclass(frozen=True, slots=True)
class HaltingBlobs:
    """A `BlobStore` that stops a run where another one fails to keep a file."""

    blobs: BlobStore
    halt: Halt

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        with self.halt.on_trouble():
            return self.blobs.put(key, chunks, max_bytes=max_bytes)

    def read(self, key: str, *, max_bytes: int) -> bytes:
        return self.blobs.read(key, max_bytes=max_bytes)

    def chunks(self, key: str) -> Iterator[bytes]:
        return self.blobs.chunks(key)

    def size(self, key: str) -> int | None:
        return self.blobs.size(key)

    def delete(self, key: str) -> None:
        self.blobs.delete(key)

    def upload_url(self, key: str, *, content_type: str, expires_in_s: int) -> SignedUpload | None:
        return self.blobs.upload_url(key, content_type=content_type, expires_in_s=expires_in_s)

    def download_url(self, key: str, *, expires_in_s: int, filename: str) -> str | None:
        return self.blobs.download_url(key, expires_in_s=expires_in_s, filename=filename)

    def keys(self, prefix: str) -> Iterator[str]:
        return self.blobs.keys(prefix)
