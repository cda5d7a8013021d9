"""What callers name instead of sending it: one function from a name to its bytes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from okapia.domain.errors import SourceRefused
from okapia.storage.remote import RemoteReader
from okapia.storage.roots import SourceRoots


def guarded_reader(roots: Sequence[Path], *, fetch_urls: bool, max_bytes: int) -> Callable[[str], bytes]:
    """Give what reads for callers of a server: files below `roots`, and URLs where they may be fetched.

    Raises:
        InvalidSettings: a source root is none.
    """
    read_file = partial(SourceRoots(roots).read, max_bytes=max_bytes)
    return source_reader(read_file, RemoteReader(max_bytes=max_bytes) if fetch_urls else None)


def source_reader(read_file: Callable[[str], bytes], remote: RemoteReader | None) -> Callable[[str], bytes]:
    """Give a function that reads `http(s)://` URLs with `remote`, and paths with `read_file`.

    Args:
        read_file: what it raises comes through.
        remote: None refuses every URL.

    The function raises `SourceRefused` (other schemes too) and `SourceUnavailable` (URLs).
    """

    def read(source: str) -> bytes:
        scheme, is_url, _ = source.partition("://")
        if not is_url:
            return read_file(source)
        if scheme.lower() not in {"http", "https"}:
            raise SourceRefused(f"expected a file or an http(s) URL, got {scheme[:20]}://")
        if remote is None:
            raise SourceRefused("fetching URLs is off; set OKAPIA_FETCH_URLS")
        return remote.fetch(source)

    return read
