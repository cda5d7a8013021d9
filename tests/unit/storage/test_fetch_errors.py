"""What a fetch that failed says: of the picture, of the URL's signature, or nothing but of the host."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from okapia.domain.errors import SourceUnavailable
from okapia.storage.fetch_errors import AccessRefused, HostSilent, NothingThere
from okapia.storage.remote import RemoteReader
from tests.unit.storage.internet import PUBLIC, Internet, Site, always, head, serve

TLS = httpx.create_ssl_context()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


def reader_of(site: Site) -> RemoteReader:
    return RemoteReader(max_bytes=1000, resolve=always(PUBLIC), network=Internet(site), tls=TLS)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, SourceUnavailable),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, NothingThere),
        (408, HostSilent),
        (410, NothingThere),
        (429, HostSilent),
        (500, HostSilent),
        (503, HostSilent),
    ],
)
def test_a_status_says_whose_affair_it_is(site: Site, status: int, kind: type[SourceUnavailable]) -> None:
    site.add("/", head(f"{status} No", "Content-Length: 0"))

    with pytest.raises(SourceUnavailable) as failed:
        reader_of(site).fetch("http://pictures.test/")

    assert type(failed.value) is kind
    assert failed.value.code == "source_unavailable"


def test_a_host_that_cannot_be_reached_or_breaks_off_is_silent(site: Site) -> None:
    site.add("/cut.jpg", head("200 OK", "Content-Length: 100"), b"half")
    reader, lonely = reader_of(site), Internet(site)
    lonely.dead.add(PUBLIC)

    with pytest.raises(HostSilent, match="broke off"):
        reader.fetch("http://pictures.test/cut.jpg")
    with pytest.raises(HostSilent, match="no connection"):
        replace(reader, network=lonely).fetch("http://pictures.test/")
    with pytest.raises(HostSilent, match="no address"):
        replace(reader, resolve=always()).fetch("http://pictures.test/")


def test_a_list_is_taken_of_any_type_and_arrives_in_pieces(site: Site) -> None:
    lines = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    site.add("/list", head("200 OK", *lines), b'6\r\n["a", \r\n', b'4\r\n"b"]\r\n0\r\n\r\n')

    with replace(reader_of(site), takes="").streamed("http://lists.test/list") as chunks:
        got = list(chunks)

    assert b"".join(got) == b'["a", "b"]'
    assert "Accept: */*" in site.heads[0]


def test_a_list_is_cut_off_at_the_limit(site: Site) -> None:
    site.add("/list", head("200 OK", "Connection: close"), bytes(1001))

    with (
        pytest.raises(SourceUnavailable, match="at most 1,000 bytes"),
        replace(reader_of(site), takes="").streamed("http://lists.test/list") as chunks,
    ):
        list(chunks)
