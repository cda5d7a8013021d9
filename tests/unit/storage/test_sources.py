"""What callers name: URLs go one way, files the other."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from okapia.domain.errors import SourceRefused
from okapia.storage.remote import RemoteReader
from okapia.storage.roots import SourceRoots
from okapia.storage.sources import guarded_reader, source_reader
from tests.unit.storage.internet import PUBLIC, Internet, always, serve


@pytest.fixture
def remote() -> Iterator[RemoteReader]:
    with serve() as site:
        site.add_picture("/fox.jpg", b"a distant fox")
        network, tls = Internet(site), httpx.create_ssl_context()
        yield RemoteReader(max_bytes=100, resolve=always(PUBLIC), network=network, tls=tls)


def test_urls_are_fetched_and_files_are_read(tmp_path: Path, remote: RemoteReader) -> None:
    (tmp_path / "fox.jpg").write_bytes(b"a near fox")

    read = source_reader(partial(SourceRoots([tmp_path]).read, max_bytes=100), remote)

    assert read("HTTP://pictures.test/fox.jpg") == b"a distant fox"
    assert read(str(tmp_path / "fox.jpg")) == b"a near fox"


@pytest.mark.parametrize("url", ["http://pictures.test/fox.jpg", "HTTPS://pictures.test/fox.jpg"])
def test_urls_are_refused_where_fetching_is_off(tmp_path: Path, url: str) -> None:
    read = guarded_reader([tmp_path], fetch_urls=False, max_bytes=100)

    with pytest.raises(SourceRefused, match="set OKAPIA_FETCH_URLS"):
        read(url)


@pytest.mark.parametrize("source", ["fox.jpg", "http:fox.jpg"])
def test_a_path_from_here_is_below_no_root(tmp_path: Path, source: str) -> None:
    with pytest.raises(SourceRefused, match="absolute path"):
        guarded_reader([tmp_path], fetch_urls=True, max_bytes=100)(source)


@pytest.mark.parametrize("scheme", ["file", "ftp", "", "h t t p"])
def test_other_schemes_are_refused(tmp_path: Path, scheme: str) -> None:
    read = guarded_reader([tmp_path], fetch_urls=True, max_bytes=100)

    with pytest.raises(SourceRefused, match=f"http\\(s\\) URL, got {scheme}://"):
        read(f"{scheme}://{tmp_path}/fox.jpg")


def test_both_are_off_by_default() -> None:
    read = guarded_reader([], fetch_urls=False, max_bytes=100)

    for source in ("http://pictures.test/fox.jpg", str(Path(__file__).resolve())):
        with pytest.raises(SourceRefused, match="is off; set OKAPIA_"):
            read(source)
