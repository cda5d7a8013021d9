"""What callers name instead of sending it: one function from a name to its bytes."""

from collections.abc import Callable

from okapia.domain.errors import SourceRefused
from okapia.storage.remote import RemoteReader
from okapia.storage.roots import SourceRoots


def source_reader(
    roots: SourceRoots, remote: RemoteReader | None, *, max_bytes: int
) -> Callable[[str], bytes]:
    """Give a function that reads `http(s)://` URLs with `remote` and all else as a file of `roots`.

    Args:
        roots: without folders, it refuses every file.
        remote: None refuses every URL.
        max_bytes: of a file; `remote` has its own.

    The function raises `SourceRefused`, `SourceUnavailable` (URLs) and `UnreadableFile` (files).
    """

    def read(source: str) -> bytes:
        if not source.lower().startswith(("http://", "https://")):
            return roots.read(source, max_bytes=max_bytes)
        if remote is None:
            raise SourceRefused("fetching URLs is off; set OKAPIA_FETCH_URLS")
        return remote.fetch(source)

    return read
