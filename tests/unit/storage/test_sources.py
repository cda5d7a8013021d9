"""What callers name: URLs go one way, files the other."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from okapia.domain.errors import SourceRefused
from okapia.storage.remote import RemoteReader
from okapia.storage.roots import SourceRoots
from okapia.storage.sources import source_reader
from tests.unit.storage.internet import PUBLIC, Internet, always, serve


@pytest.fixture
def remote() -> Iterator[RemoteReader]:
    with serve() as site:
        site.add_picture("/fox.jpg", b"a distant fox")
        network, tls = Internet(site), httpx.create_ssl_context()
        yield RemoteReader(max_bytes=100, resolve=always(PUBLIC), network=network, tls=tls)


def test_urls_are_fetched_and_files_are_read(tmp_path: Path, remote: RemoteReader) -> None:
    (tmp_path / "fox.jpg").write_bytes(b"a near fox")

    read = source_reader(SourceRoots([tmp_path]), remote, max_bytes=100)

    assert read("HTTP://pictures.test/fox.jpg") == b"a distant fox"
    assert read(str(tmp_path / "fox.jpg")) == b"a near fox"


@pytest.mark.parametrize("url", ["http://pictures.test/fox.jpg", "HTTPS://pictures.test/fox.jpg"])
def test_urls_are_refused_where_fetching_is_off(tmp_path: Path, url: str) -> None:
    read = source_reader(SourceRoots([tmp_path]), None, max_bytes=100)

    with pytest.raises(SourceRefused, match="set OKAPIA_FETCH_URLS"):
        read(url)


@pytest.mark.parametrize(
    "source", ["file:///etc/passwd", "ftp://pictures.test/fox.jpg", "fox.jpg", "http:fox.jpg"]
)
def test_anything_else_is_a_path_and_no_such_path_is_below_a_root(
    tmp_path: Path, remote: RemoteReader, source: str
) -> None:
    with pytest.raises(SourceRefused, match="absolute path"):
        source_reader(SourceRoots([tmp_path]), remote, max_bytes=100)(source)


def test_both_are_off_by_default() -> None:
    read = source_reader(SourceRoots([]), None, max_bytes=100)

    for source in ("http://pictures.test/fox.jpg", str(Path(__file__).resolve())):
        with pytest.raises(SourceRefused, match="is off; set OKAPIA_"):
            read(source)
