"""Posting to a caller's URL: what is sent, what is given back, and where it never goes."""

import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from okapia.domain.errors import SourceRefused
from okapia.storage.post import GuardedPoster, Posted
from tests.unit.storage.internet import (
    PUBLIC,
    Internet,
    Names,
    Site,
    always,
    certified,
    drip,
    head,
    serve,
    trusting,
)

TLS = httpx.create_ssl_context()
BODY = b'{"type":"webhook.test"}'
URL = "http://pictures.test/hook?x=1"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as one:
        one.add("/hook?x=1", head("200 OK", "Content-Length: 2"), b"ok")
        yield one


@pytest.fixture
def internet(site: Site) -> Internet:
    return Internet(site)


@pytest.fixture
def poster(internet: Internet) -> GuardedPoster:
    """A poster that may send unencrypted, since the site does not encrypt."""
    return GuardedPoster(allow_private=True, resolve=always(PUBLIC), network=internet, tls=TLS)


def test_the_request_has_a_length_a_kind_and_the_given_headers(poster: GuardedPoster, site: Site) -> None:
    assert poster.post(URL, BODY, {"webhook-id": "msg_1"}) == Posted(200)

    lines = site.heads[0].lower().split("\r\n")
    assert lines[0] == "post /hook?x=1 http/1.1"
    expected = {
        "host: pictures.test",
        "webhook-id: msg_1",
        "content-type: application/json",
        f"content-length: {len(BODY)}",
        "connection: close",
    }
    assert expected <= set(lines)
    assert site.bodies == [BODY]


@pytest.mark.parametrize("status", [200, 204, 301, 307, 404, 410, 500])
def test_the_status_is_given_back_whatever_it_is(poster: GuardedPoster, site: Site, status: int) -> None:
    site.add("/hook?x=1", head(f"{status} Some", "Location: http://10.0.0.1/", "Content-Length: 0"))

    assert poster.post(URL, BODY, {}) == Posted(status)
    assert len(site.heads) == 1


def test_an_endless_answer_is_not_read(poster: GuardedPoster, site: Site) -> None:
    site.pages["/hook?x=1"] = drip(first=head("200 OK"), then=bytes(500), every_s=0.001)
    started = time.monotonic()

    assert poster.post(URL, BODY, {}) == Posted(200)

    assert time.monotonic() - started < 3
    assert site.sent < 200_000


def test_an_answer_that_breaks_off_counts_by_its_status(poster: GuardedPoster, site: Site) -> None:
    site.add("/hook?x=1", head("204 Fine", "Content-Length: 100"), b"x")

    assert poster.post(URL, BODY, {}).status == 204


def test_a_receiver_that_does_not_answer_in_time_is_left(poster: GuardedPoster, site: Site) -> None:
    site.pages["/hook?x=1"] = drip(first=b"HTTP/1.1 200 OK\r\n", then=b"X: y\r\n", every_s=0.05)
    started = time.monotonic()

    posted = replace(poster, total_s=0.4).post(URL, BODY, {})

    assert posted == Posted(None, "expected an answer within 0.4 s, the receiver is slower")
    assert time.monotonic() - started < 3


def test_a_receiver_may_think_as_long_as_it_has_in_all() -> None:
    assert (GuardedPoster(tls=TLS).read_s, GuardedPoster(tls=TLS).total_s) == (15.0, 15.0)


def test_nobody_there_and_another_protocol_are_told_apart(
    poster: GuardedPoster, site: Site, internet: Internet
) -> None:
    site.add("/hook?x=1", b"-ERR secret of a database\r\n")

    spoken = poster.post(URL, BODY, {})
    internet.dead = {PUBLIC}
    absent = poster.post(URL, BODY, {})

    assert spoken == Posted(None, "the receiver broke off, or does not speak HTTP")
    assert absent.status is None
    assert "no connection" in str(absent.error)


def test_an_unknown_host_is_told(poster: GuardedPoster) -> None:
    unknown = replace(poster, resolve=Names({}).resolve)

    assert unknown.post(URL, BODY, {}) == Posted(None, "the host is not known")


def test_what_cannot_be_a_header_is_no_crash(poster: GuardedPoster) -> None:
    assert poster.post(URL, BODY, {"webhook-id": "a\r\nb"}).status is None


# --- where it never goes ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00:ec2::254", "0.0.0.0"],  # noqa: S104
)
def test_a_name_of_an_inner_address_gets_nothing(internet: Internet, address: str) -> None:
    public_only = GuardedPoster(resolve=always(address), network=internet, tls=TLS)

    posted = public_only.post("https://inside.test/", BODY, {})

    assert posted.status is None
    assert "public internet" in str(posted.error)
    assert address not in str(posted.error).split()
    assert internet.dialled == []


def test_a_name_is_resolved_once_and_connected_to_by_its_address() -> None:
    names = Names({"pictures.test": [[PUBLIC], ["127.0.0.1"]]})
    with serve(certified([])) as secure:
        secure.add("/", head("204 No Content"))
        internet = Internet(secure)
        poster = GuardedPoster(resolve=names.resolve, network=internet, tls=trusting())

        assert poster.post("https://pictures.test/", BODY, {}) == Posted(204)

    assert names.asked == ["pictures.test"]
    assert internet.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "http://example.org/",
        "https://me:word@example.org/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://[::1]:8443/",
        "https://[fe80::1%25eth0]/",
        "https://10.1.2.3:8000/x",
    ],
)
def test_what_can_never_be_sent_to_is_refused_beforehand_and_then(internet: Internet, url: str) -> None:
    poster = GuardedPoster(network=internet, tls=TLS)

    with pytest.raises(SourceRefused, match="expected"):
        poster.check(url)
    assert poster.post(url, BODY, {}).status is None
    assert internet.dialled == []


@pytest.mark.parametrize(
    "url", ["https://example.org/", "https://example.org:8443/a?b=c", f"https://{PUBLIC}/"]
)
def test_public_hosts_may_be_sent_to_on_any_port(url: str) -> None:
    GuardedPoster(tls=TLS).check(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8123/api", "http://192.168.1.5/", "https://[::1]/"])
def test_an_operator_may_allow_the_own_network_but_no_credentials_of_clouds(url: str) -> None:
    poster = GuardedPoster(allow_private=True, tls=TLS)

    poster.check(url)
    with pytest.raises(SourceRefused):
        poster.check("http://169.254.169.254/")
