"""Fetching a caller's URL: what is asked for, what is taken, and every way in which it ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import BadImage, SourceRefused, SourceUnavailable
from okapia.storage.remote import RemoteReader
from tests.unit.storage.internet import PUBLIC, Internet, Names, Site, always, drip, head, serve

TLS = httpx.create_ssl_context()
PICTURE = b"\xff\xd8 a fox \xff\xd9"


@dataclass(frozen=True)
class World:
    """One site, reachable as `pictures.test` and everything else below `.test`."""

    site: Site
    internet: Internet
    reader: RemoteReader


@pytest.fixture
def world() -> Iterator[World]:
    with serve() as site:
        internet = Internet(site)
        reader = RemoteReader(max_bytes=1000, resolve=always(PUBLIC), network=internet, tls=TLS)
        yield World(site, internet, reader)


def test_a_picture_arrives_byte_by_byte(world: World) -> None:
    body = bytes(range(256)) * 3
    world.site.add_picture("/a%20b.jpg?x=1&y=%2F", body)

    assert world.reader.fetch("http://Pictures.test/a b.jpg?x=1&y=%2F#part") == body


def test_the_request_names_the_host_and_asks_for_a_picture_as_it_is(world: World) -> None:
    world.site.add_picture("/fox.jpg", PICTURE)

    world.reader.fetch("http://pictures.test/fox.jpg")

    lines = world.site.heads[0].lower().split("\r\n")
    assert lines[0] == "get /fox.jpg http/1.1"
    assert {"host: pictures.test", "accept-encoding: identity", "connection: close"} <= set(lines)
    assert not [line for line in lines if line.startswith(("cookie", "authorization", "referer"))]


def test_a_host_may_be_an_address_of_either_version(world: World) -> None:
    world.site.add_picture("/", PICTURE)
    names = Names({"2606:4700::1111": [["2606:4700::1111"]], "1.1.1.1": [["1.1.1.1"]]})
    reader = replace(world.reader, resolve=names.resolve)

    assert reader.fetch("http://[2606:4700::1111]/") == reader.fetch("http://1.1.1.1/") == PICTURE
    assert world.internet.dialled == [("2606:4700::1111", 80), ("1.1.1.1", 80)]
    assert "Host: [2606:4700::1111]\r\n" in world.site.heads[0]


def test_a_name_beyond_ascii_is_asked_for_in_its_dns_form(world: World) -> None:
    world.site.add_picture("/", PICTURE)
    names = Names({"xn--wlfe-5qa.test": [[PUBLIC]]})

    assert replace(world.reader, resolve=names.resolve).fetch("http://wölfe.test/") == PICTURE


# --- what a URL may be -----------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pictures.test/a.jpg",
        "//pictures.test/a.jpg",
        "ftp://pictures.test/a.jpg",
        "file:///etc/passwd",
        "gopher://pictures.test/_GET",
        "data:image/png;base64,AAAA",
        "unix:/var/run/docker.sock",
        " http://pictures.test/",
        "http:",
        "http:///a.jpg",
        "http:/a.jpg",
        "http://a\0b/",
        "http://pictures\ud800.test/",
        "http://[::1/",
    ],
)
def test_only_http_urls_with_a_host_are_fetched(world: World, url: str) -> None:
    with pytest.raises(SourceRefused):
        world.reader.fetch(url)

    assert world.internet.dialled == []


@pytest.mark.parametrize(
    "url", ["http://me@pictures.test/", "http://me:word@pictures.test/", "http://pictures.test\\@evil.test/"]
)
def test_user_information_is_refused(world: World, url: str) -> None:
    with pytest.raises(SourceRefused, match="user name"):
        world.reader.fetch(url)


@pytest.mark.parametrize("host", ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%25lo]", "a%00b", "%31%32%37.1"])
def test_zones_and_escapes_in_the_host_are_refused(world: World, host: str) -> None:
    with pytest.raises(SourceRefused, match="host"):
        replace(world.reader, allow_private=True).fetch(f"http://{host}/")


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8080, 65536, -1])
def test_other_ports_than_the_webs_are_refused(world: World, port: int) -> None:
    with pytest.raises(SourceRefused, match=f"expected port 80, 443, got {port}"):
        world.reader.fetch(f"http://pictures.test:{port}/")


def test_the_ports_can_be_set(world: World) -> None:
    world.site.add_picture("/", PICTURE)
    reader = replace(world.reader, ports=frozenset({8080}))

    assert reader.fetch("http://pictures.test:8080/") == PICTURE
    assert world.internet.dialled == [(PUBLIC, 8080)]
    with pytest.raises(SourceRefused, match="expected port 8080, got 80"):
        reader.fetch("http://pictures.test/")


@given(
    st.one_of(st.text(), st.text().map("http://{}".format), st.text().map("http://pictures.test/{}".format))
)
def test_whatever_the_url_is_the_error_is_one_of_ours(url: str) -> None:
    reader = RemoteReader(max_bytes=10, resolve=Names({}).resolve, tls=TLS)

    with pytest.raises((SourceRefused, SourceUnavailable)):
        reader.fetch(url)


# --- redirects -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_is_followed(world: World, status: str) -> None:
    world.site.add_redirect("/old/a.jpg", "../new.jpg?x=1", status)
    world.site.add_picture("/new.jpg?x=1", PICTURE)

    assert world.reader.fetch("http://pictures.test/old/a.jpg") == PICTURE


def test_a_chain_of_redirects_ends_after_three(world: World) -> None:
    for step in range(4):
        world.site.add_redirect(f"/{step}", f"http://host{step + 1}.test/{step + 1}")
    world.site.add_picture("/4", PICTURE)

    assert world.reader.fetch("http://pictures.test/1") == PICTURE
    with pytest.raises(SourceUnavailable, match="at most 3 redirects"):
        world.reader.fetch("http://pictures.test/0")


def test_a_redirect_to_itself_ends(world: World) -> None:
    world.site.add_redirect("/", "/")

    with pytest.raises(SourceUnavailable, match="redirects"):
        world.reader.fetch("http://pictures.test/")

    assert len(world.site.heads) == 4


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://pictures.test/a.jpg",
        "http://me:word@pictures.test/",
        "//pictures.test:6379/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
    ],
)
def test_where_a_redirect_leads_is_checked_anew(world: World, location: str) -> None:
    world.site.add_redirect("/", location)

    with pytest.raises(SourceRefused):
        world.reader.fetch("http://pictures.test/")

    assert len(world.internet.dialled) == 1


def test_a_redirect_to_a_private_address_is_refused(world: World) -> None:
    names = Names({"pictures.test": [[PUBLIC]], "10.1.2.3": [["10.1.2.3"]]})
    world.site.add_redirect("/", "http://10.1.2.3/admin")

    with pytest.raises(SourceRefused) as refused:
        replace(world.reader, resolve=names.resolve).fetch("http://pictures.test/")

    assert "10.1.2.3" not in str(refused.value)
    assert world.internet.dialled == [(PUBLIC, 80)]


def test_a_redirect_without_a_place_is_no_picture(world: World) -> None:
    world.site.add("/", head("302 Found", "Content-Length: 0"))

    with pytest.raises(SourceUnavailable, match="302"):
        world.reader.fetch("http://pictures.test/")


# --- what an answer may be -------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial", "304 Not Modified", "404 Not Found", "503 Busy"]
)
def test_any_other_status_than_200_is_no_picture(world: World, status: str) -> None:
    world.site.add("/", head(status, "Content-Type: image/png", "Content-Length: 0"))

    with pytest.raises(SourceUnavailable, match=f"expected status 200, the server answered {status[:3]}"):
        world.reader.fetch("http://pictures.test/")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Type: image/jpeg"],
        ["Content-Type: IMAGE/PNG; charset=binary"],
        ["Content-Type: application/octet-stream"],
        ["Content-Type: binary/octet-stream"],
        ["Content-Encoding: identity"],
        [],
    ],
)
def test_pictures_and_bytes_of_no_declared_kind_are_taken(world: World, lines: list[str]) -> None:
    world.site.add("/", head("200 OK", *lines), PICTURE)

    assert world.reader.fetch("http://pictures.test/") == PICTURE


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "text/plain", "imageless"])
def test_other_content_types_are_no_picture(world: World, kind: str) -> None:
    world.site.add("/", head("200 OK", f"Content-Type: {kind}"), b"secret")

    with pytest.raises(SourceUnavailable, match="expected a picture"):
        world.reader.fetch("http://pictures.test/")


@pytest.mark.parametrize("header", ["Content-Encoding: gzip", "Content-Encoding: identity, br"])
def test_an_encoded_body_is_refused_unread(world: World, header: str) -> None:
    world.site.pages["/"] = drip(first=head("200 OK", header), then=b"\x1f\x8b", every_s=0.05)
    started = time.monotonic()

    with pytest.raises(SourceUnavailable, match="encoded"):
        world.reader.fetch("http://pictures.test/")

    assert time.monotonic() - started < 3


def test_an_encoding_of_the_transfer_is_refused(world: World) -> None:
    world.site.add("/", head("200 OK", "Transfer-Encoding: gzip, chunked"), b"0\r\n\r\n")

    with pytest.raises(SourceUnavailable, match="does not speak HTTP"):
        world.reader.fetch("http://pictures.test/")


def test_what_another_protocol_says_is_not_repeated(world: World) -> None:
    world.site.add("/", b"-ERR secret of a database\r\n")

    with pytest.raises(SourceUnavailable) as failed:
        world.reader.fetch("http://pictures.test/")

    assert "secret" not in str(failed.value)


# --- sizes -----------------------------------------------------------------------------


def test_a_picture_may_be_as_large_as_the_limit(world: World) -> None:
    world.site.add_picture("/", bytes(1000))
    world.site.add_picture("/more", bytes(1001))

    assert len(world.reader.fetch("http://pictures.test/")) == 1000
    with pytest.raises(SourceUnavailable, match="at most 1,000 bytes"):
        world.reader.fetch("http://pictures.test/more")


def test_a_declared_length_above_the_limit_ends_the_fetch_before_the_body(world: World) -> None:
    world.site.pages["/"] = drip(first=head("200 OK", "Content-Length: 1001"), then=b"", every_s=0.05)
    started = time.monotonic()

    with pytest.raises(SourceUnavailable, match="at most 1,000 bytes"):
        world.reader.fetch("http://pictures.test/")

    assert time.monotonic() - started < 3


@pytest.mark.parametrize("chunked", [False, True])
def test_an_endless_body_ends_at_the_limit(world: World, *, chunked: bool) -> None:
    header, piece = (
        ("Transfer-Encoding: chunked", b"64\r\n" + bytes(100) + b"\r\n") if chunked else ("A: b", bytes(100))
    )
    world.site.pages["/"] = drip(first=head("200 OK", header), then=piece, every_s=0.001)

    with pytest.raises(SourceUnavailable, match="at most 1,000 bytes"):
        world.reader.fetch("http://pictures.test/")

    assert world.site.sent < 100_000


def test_a_body_that_is_shorter_than_declared_is_no_picture(world: World) -> None:
    world.site.add("/", head("200 OK", "Content-Length: 500"), bytes(499))

    with pytest.raises(SourceUnavailable, match="broke off"):
        world.reader.fetch("http://pictures.test/")


def test_a_body_that_is_longer_than_declared_ends_where_declared(world: World) -> None:
    world.site.add("/", head("200 OK", f"Content-Length: {len(PICTURE)}"), PICTURE, b"and more")

    assert world.reader.fetch("http://pictures.test/") == PICTURE


@pytest.mark.parametrize("length", ["-1", "many", "5, 6", "1" * 30])
def test_a_length_that_is_none_is_no_picture(world: World, length: str) -> None:
    world.site.add("/", head("200 OK", f"Content-Length: {length}"), PICTURE)

    with pytest.raises(SourceUnavailable):
        world.reader.fetch("http://pictures.test/")


def test_an_empty_body_is_given_as_it_is(world: World) -> None:
    world.site.add_picture("/", b"")

    assert world.reader.fetch("http://pictures.test/") == b""


# --- errors as callers see them --------------------------------------------------------


def test_both_errors_are_failures_of_one_picture_with_codes_of_their_own() -> None:
    assert issubclass(SourceRefused, BadImage)
    assert issubclass(SourceUnavailable, BadImage)
    assert (SourceRefused.code, SourceUnavailable.code) == ("source_refused", "source_unavailable")


def test_nobody_at_the_address_is_unavailable(world: World) -> None:
    world.internet.dead = {PUBLIC}

    with pytest.raises(SourceUnavailable, match="no connection to the server"):
        world.reader.fetch("http://pictures.test/")


def test_an_unknown_host_is_unavailable(world: World) -> None:
    with pytest.raises(SourceUnavailable, match="host is not known"):
        replace(world.reader, resolve=Names({}).resolve).fetch("http://nowhere.test/")


def test_the_proxies_of_the_environment_are_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    world.site.add_picture("/", PICTURE)

    assert world.reader.fetch("http://pictures.test/") == PICTURE
