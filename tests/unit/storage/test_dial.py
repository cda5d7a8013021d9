"""Connections: only to checked addresses, under the name of the URL, within the time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event

import httpx
import pytest

from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.dial import Deadline, Resolve, system_addresses
from okapia.storage.remote import RemoteReader
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

PICTURE = b"\xff\xd8 a fox \xff\xd9"
TLS = httpx.create_ssl_context()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        site.add_picture("/", PICTURE)
        yield site


@pytest.fixture
def internet(site: Site) -> Internet:
    return Internet(site)


def reader_of(internet: Internet, resolve: Resolve) -> RemoteReader:
    return RemoteReader(max_bytes=1000, resolve=resolve, network=internet, tls=TLS)


# --- addresses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "172.16.0.7",
        "192.168.0.7",
        "169.254.169.254",
        "100.64.0.7",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.7",
        "224.0.0.7",
        "240.0.0.7",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:93.184.215.14",
        "64:ff9b::7f00:1",
        "fe80::7",
        "fe80::7%eth0",
        "fd00:ec2::254",
        "ff02::7",
        "no address",
    ],
)
def test_a_name_of_an_address_that_is_not_public_is_refused_without_telling_it(
    internet: Internet, address: str
) -> None:
    with pytest.raises(SourceRefused) as refused:
        reader_of(internet, always(address)).fetch("http://inside.test/")

    assert address not in str(refused.value).split()
    assert internet.dialled == []


@pytest.mark.parametrize("position", [0, 1])
def test_one_private_address_among_public_ones_is_enough_to_refuse(internet: Internet, position: int) -> None:
    addresses = [PUBLIC]
    addresses.insert(position, "10.0.0.7")

    with pytest.raises(SourceRefused):
        reader_of(internet, always(*addresses)).fetch("http://both.test/")

    assert internet.dialled == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"],
)
def test_the_own_machine_is_refused_as_the_systems_resolver_gives_it(internet: Internet, host: str) -> None:
    with pytest.raises(SourceRefused):
        reader_of(internet, system_addresses).fetch(f"http://{host}/")

    assert internet.dialled == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "127.0.0.1."]
)
def test_odd_spellings_of_the_own_machine_are_refused_or_unknown(internet: Internet, host: str) -> None:
    # Systems differ in which of them they know.
    with pytest.raises((SourceRefused, SourceUnavailable)):
        reader_of(internet, system_addresses).fetch(f"http://{host}/")

    assert internet.dialled == []


def test_a_name_that_changes_between_check_and_connection_is_resolved_only_once(internet: Internet) -> None:
    names = Names({"rebind.test": [[PUBLIC], ["127.0.0.1"]]})

    picture = reader_of(internet, names.resolve).fetch("http://rebind.test/")

    assert picture == PICTURE
    assert names.asked == ["rebind.test"]
    assert internet.dialled == [(PUBLIC, 80)]


def test_a_name_that_changes_before_its_redirect_to_itself_is_refused(site: Site, internet: Internet) -> None:
    site.add_redirect("/again", "/")
    names = Names({"rebind.test": [[PUBLIC], ["127.0.0.1"]]})

    with pytest.raises(SourceRefused):
        reader_of(internet, names.resolve).fetch("http://rebind.test/again")

    assert internet.dialled == [(PUBLIC, 80)]


def test_what_is_dialled_is_an_address_and_never_a_name(internet: Internet) -> None:
    names = Names({"pictures.test": [["2606:4700:0:0::1111"]]})

    reader_of(internet, names.resolve).fetch("http://pictures.test/")

    assert internet.dialled == [("2606:4700::1111", 80)]


def test_the_next_address_is_tried_where_one_does_not_answer(internet: Internet) -> None:
    internet.dead = {"2606:4700::1111"}

    assert reader_of(internet, always("2606:4700::1111", PUBLIC)).fetch("http://pictures.test/") == PICTURE


def test_a_host_without_addresses_is_unavailable(internet: Internet) -> None:
    with pytest.raises(SourceUnavailable, match="no address"):
        reader_of(internet, always()).fetch("http://pictures.test/")


# --- one's own network, where the operator says so -------------------------------------


def test_an_operator_may_allow_private_addresses(site: Site) -> None:
    reader = RemoteReader(max_bytes=1000, ports=frozenset({site.port}), allow_private=True, tls=TLS)

    assert reader.fetch(f"http://127.0.0.1:{site.port}/") == PICTURE
    with pytest.raises(SourceRefused):
        replace(reader, allow_private=False).fetch(f"http://127.0.0.1:{site.port}/")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "fd00:ec2::254",
        "0.0.0.7",
        "::",
        "::ffff:127.0.0.1",
        "fe80::7",
        "224.0.0.7",
    ],
)
def test_private_addresses_do_not_include_clouds_credentials_and_special_ones(
    internet: Internet, address: str
) -> None:
    reader = replace(reader_of(internet, always(address)), allow_private=True)

    with pytest.raises(SourceRefused):
        reader.fetch("http://inside.test/")


# --- time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (head("200 OK", "Content-Length: 1000"), b"x"),
        (head("200 OK", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
    ],
    ids=["silence", "endless header", "endless interim answers", "slow body", "slow chunks"],
)
def test_a_server_that_drips_is_left_when_the_time_is_over(
    site: Site, internet: Internet, first: bytes, then: bytes
) -> None:
    site.pages["/slow"] = drip(first=first, then=then, every_s=0.05)
    reader = replace(reader_of(internet, always(PUBLIC)), total_s=0.4)
    started = time.monotonic()

    with pytest.raises(SourceUnavailable, match=r"whole picture within 0\.4 s"):
        reader.fetch("http://pictures.test/slow")

    assert 0.3 < time.monotonic() - started < 3


def test_a_pause_above_the_limit_ends_the_fetch(site: Site, internet: Internet) -> None:
    site.pages["/slow"] = drip(first=head("200 OK", "Content-Length: 1000"), then=b"x", every_s=5)
    reader = replace(reader_of(internet, always(PUBLIC)), read_s=0.2)
    started = time.monotonic()

    with pytest.raises(SourceUnavailable, match=r"no pause above 0\.2 s"):
        reader.fetch("http://pictures.test/slow")

    assert time.monotonic() - started < 3


def test_slow_redirects_share_one_time_limit(site: Site, internet: Internet) -> None:
    site.pages["/slow"] = drip(
        first=b"", then=head("302 Found", "Location: /slow", "Content-Length: 0"), every_s=0.3
    )
    reader = replace(reader_of(internet, always(PUBLIC)), total_s=0.5)

    with pytest.raises(SourceUnavailable, match="slower"):
        reader.fetch("http://pictures.test/slow")

    assert len(internet.dialled) == 2


def test_a_resolver_that_hangs_is_not_waited_for(internet: Internet) -> None:
    never = Event()

    def hang(host: str, port: int) -> Sequence[str]:
        del host, port
        never.wait(10)
        return [PUBLIC]

    started = time.monotonic()
    try:
        with pytest.raises(SourceUnavailable, match="slower"):
            replace(reader_of(internet, hang), connect_s=0.2).fetch("http://pictures.test/")
        took = time.monotonic() - started
    finally:
        never.set()

    assert took < 3


def test_a_deadline_gives_what_is_left_and_then_an_error() -> None:
    assert Deadline.after(100).left(5) == 5
    assert 99 < Deadline.after(100).left(None) <= 100
    with pytest.raises(TimeoutError):
        Deadline.after(0).left(5)


# --- TLS -------------------------------------------------------------------------------


@pytest.fixture
def secure_site() -> Iterator[Site]:
    names: list[str | None] = []
    with serve(certified(names)) as site:
        site.names = names
        site.add_picture("/", PICTURE)
        yield site


def test_tls_is_with_the_name_of_the_url_on_the_checked_address(secure_site: Site) -> None:
    internet = Internet(secure_site)

    picture = replace(reader_of(internet, always(PUBLIC)), tls=trusting()).fetch("https://pictures.test/")

    assert picture == PICTURE
    assert internet.dialled == [(PUBLIC, 443)]
    assert secure_site.names == ["pictures.test"]
    assert "Host: pictures.test\r\n" in secure_site.heads[0]


@pytest.mark.parametrize("url", ["https://other.test/", f"https://{PUBLIC}/"])
def test_a_certificate_for_another_name_is_refused(secure_site: Site, url: str) -> None:
    reader = replace(reader_of(Internet(secure_site), always(PUBLIC)), tls=trusting())

    with pytest.raises(SourceUnavailable, match="not valid for"):
        reader.fetch(url)

    assert secure_site.heads == []


def test_a_certificate_that_nobody_vouches_for_is_refused(secure_site: Site) -> None:
    with pytest.raises(SourceUnavailable, match=r"self.signed|unable to get local issuer"):
        reader_of(Internet(secure_site), always(PUBLIC)).fetch("https://pictures.test/")


def test_a_handshake_that_never_ends_is_left(site: Site, internet: Internet) -> None:
    del site  # waits for a request's end and never answers the handshake
    reader = replace(reader_of(internet, always(PUBLIC)), total_s=0.3)
    started = time.monotonic()

    with pytest.raises(SourceUnavailable, match="slower"):
        reader.fetch("https://pictures.test/")

    assert time.monotonic() - started < 3
