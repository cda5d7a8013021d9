"""Pictures by URL: signatures stay secret, and it is told whose fault it is when nobody answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import httpx
import pytest

from okapia.batches.hosts import GRACE_S
from okapia.batches.items import Item
from okapia.batches.list_source import ListEntry
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.batches.url_source import REFUSALS, UrlSource, listed_item
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.remote import RemoteReader
from okapia.storage.secrets import Vault
from tests.unit.storage.internet import Internet, Names, Site, head, serve

TLS = httpx.create_ssl_context()
VAULT = Vault(b"k" * 32)
PICTURE = b"\xff\xd8 a fox \xff\xd9"
SIGNED = "http://one.test/fox.jpg?sp=r&sig=aardwolf%2F"


@dataclass
class World:
    """Twenty hosts on one site, each at an address of its own, and time that passes when somebody waits."""

    site: Site
    internet: Internet = field(init=False)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.internet = Internet(self.site)
        self.site.add_picture("/fox.jpg", PICTURE)
        self.site.add_picture("/lynx.jpg", PICTURE)

    def address(self, host: str) -> str:
        return f"93.184.215.{1 + HOSTS.index(host)}"

    def silence(self, *hosts: str) -> None:
        self.internet.dead |= {self.address(host) for host in hosts}

    def source(self, *urls: str) -> UrlSource:
        addresses: dict[str, list[Sequence[str]]] = {host: [[self.address(host)]] for host in HOSTS}
        names = Names(addresses | {"nas.test": [["192.168.1.2"]]})
        reader = RemoteReader(max_bytes=1000, resolve=names.resolve, network=self.internet, tls=TLS)
        items = [listed_item(ListEntry(url, meta=f"{place}"), VAULT) for place, url in enumerate(urls)]
        return UrlSource(lambda: iter(items), reader.fetch, VAULT, clock=lambda: self.now, sleep=self.pass_by)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


HOSTS = ["one.test", *(f"host-{number}.test" for number in range(19))]


def url(host: str, name: str = "fox.jpg") -> str:
    return f"http://{host}/{name}"


@pytest.fixture
def world() -> Iterator[World]:
    with serve() as site:
        yield World(site)


# --- names -----------------------------------------------------------------------------


def test_the_query_of_a_url_is_no_part_of_its_name_and_cannot_be_read(world: World) -> None:
    world.site.add_picture("/fox.jpg?sp=r&sig=aardwolf%2F", b"signed")
    source = world.source(SIGNED)

    [item] = source.items()

    assert (item.name, item.meta, item.problem) == ("http://one.test/fox.jpg", "0", None)
    assert "aardwolf" not in repr(item)
    assert source.read(item) == b"signed"


def test_without_the_key_a_signed_url_is_lost(world: World) -> None:
    item = listed_item(ListEntry(SIGNED), Vault(b"another key".ljust(32)))

    with pytest.raises(CredentialsNeeded, match="the key"):
        world.source().read(item)


def test_a_url_without_query_is_as_it_is() -> None:
    assert listed_item(ListEntry("HTTPS://One.test/a%20b.jpg#part", "m"), VAULT) == Item(
        "HTTPS://One.test/a%20b.jpg", meta="m"
    )


def test_a_password_in_a_url_fails_and_is_not_kept() -> None:
    item = listed_item(ListEntry("http://me:aardwolf@one.test/fox.jpg"), VAULT)

    assert item.name == "http://one.test/fox.jpg"
    assert item.problem == "expected a URL without user name and password"


@pytest.mark.parametrize("locator", ["cam/fox.jpg", "ftp://one.test/fox.jpg", "file:///etc/passwd"])
def test_what_is_no_url_of_the_web_fails(world: World, locator: str) -> None:
    [item] = world.source(locator).items()

    assert item.problem == "expected http:// or https://, for the batch has no other place"


# --- whose fault -----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_a_picture_that_is_not_there_is_missing(world: World, status: str) -> None:
    world.site.add("/gone.jpg", head(status, "Content-Length: 0"))

    with pytest.raises(MissingPicture):
        world.source().read(Item(url("one.test", "gone.jpg")))


def test_an_address_that_may_not_be_fetched_is_that_pictures_fault(world: World) -> None:
    with pytest.raises(SourceRefused):
        world.source().read(Item(url("nas.test")))


def test_a_picture_comes_in_spite_of_a_store_that_is_too_busy_three_times_of_ten(world: World) -> None:
    busy = head("503 Service Unavailable", "Content-Length: 0")
    good = head("200 OK", f"Content-Length: {len(PICTURE)}") + PICTURE
    answers = cycle([busy, busy, good, good, busy, good, good, good, good, good])
    world.site.pages["/fox.jpg"] = lambda: [next(answers)]
    source = world.source()

    assert [source.read(Item(url("one.test"))) for _ in range(20)] == [PICTURE] * 20


def test_a_download_that_is_cut_off_is_no_picture(world: World) -> None:
    world.site.add("/fox.jpg", head("200 OK", "Content-Length: 1000"), PICTURE)

    with pytest.raises(SourceGone, match="broke off"):
        world.source().read(Item(url("one.test")))


def test_a_download_that_is_cut_off_once_is_fetched_again(world: World) -> None:
    answers = iter(["1000", f"{len(PICTURE)}"])
    world.site.pages["/fox.jpg"] = lambda: [head("200 OK", f"Content-Length: {next(answers)}"), PICTURE]

    assert world.source().read(Item(url("one.test"))) == PICTURE


def test_a_picture_that_breaks_its_host_fails_alone_where_the_host_gives_others(world: World) -> None:
    world.site.add("/cursed.jpg", head("500 Internal Server Error", "Content-Length: 0"))
    source = world.source()
    source.read(Item(url("one.test")))

    with pytest.raises(SourceUnavailable, match="answered 500"):
        source.read(Item(url("one.test", "cursed.jpg")))


def test_the_only_host_that_is_silent_is_no_pictures_fault(world: World) -> None:
    source = world.source()
    source.read(Item(url("one.test")))
    world.silence("one.test")
    world.now += 2 * GRACE_S

    with pytest.raises(SourceGone, match=r"one\.test"):
        source.read(Item(url("one.test", "lynx.jpg")))


def test_a_network_that_is_down_is_no_pictures_fault_however_many_hosts_there_are(world: World) -> None:
    source = world.source()
    for host in HOSTS:
        source.read(Item(url(host)))
    world.silence(*HOSTS)

    for _ in range(2):
        for host in HOSTS:
            with pytest.raises(SourceGone):
                source.read(Item(url(host, "lynx.jpg")))
        world.now += 2 * GRACE_S


def test_a_host_that_is_silent_for_long_while_others_answer_is_given_up(world: World) -> None:
    source = world.source()
    source.read(Item(url("host-1.test")))
    world.silence("one.test")

    with pytest.raises(SourceGone):
        source.read(Item(url("one.test")))
    world.now += GRACE_S
    with pytest.raises(SourceUnavailable, match="no connection"):
        source.read(Item(url("one.test")))
    dialled = len(world.internet.dialled)
    with pytest.raises(SourceUnavailable, match="others do"):
        source.read(Item(url("one.test", "lynx.jpg")))

    assert len(world.internet.dialled) == dialled
    assert source.read(Item(url("host-2.test"))) == PICTURE


def test_a_host_that_was_given_up_is_asked_again_a_minute_later(world: World) -> None:
    source = world.source()
    source.read(Item(url("host-1.test")))
    world.silence("one.test")
    with pytest.raises(SourceGone):
        source.read(Item(url("one.test")))
    world.now += GRACE_S
    with pytest.raises(SourceUnavailable):
        source.read(Item(url("one.test")))

    world.internet.dead.clear()
    world.now += 60.0

    assert source.read(Item(url("one.test"))) == PICTURE


# --- credentials -----------------------------------------------------------------------


def test_one_signed_url_that_is_refused_fails_alone_many_in_a_row_need_credentials(world: World) -> None:
    world.site.add("/fox.jpg?sp=r&sig=aardwolf%2F", head("403 Forbidden", "Content-Length: 0"))
    source = world.source(SIGNED)
    [item] = source.items()

    for _ in range(REFUSALS - 1):
        with pytest.raises(SourceUnavailable, match="403"):
            source.read(item)
    with pytest.raises(CredentialsNeeded, match="20 in a row") as refused:
        source.read(item)

    assert "aardwolf" not in str(refused.value)


def test_pictures_that_are_not_signed_need_no_credentials_however_many_are_refused(world: World) -> None:
    world.site.add("/closed.jpg", head("403 Forbidden", "Content-Length: 0"))
    source = world.source()

    for _ in range(2 * REFUSALS):
        with pytest.raises(SourceUnavailable, match="403"):
            source.read(Item(url("one.test", "closed.jpg")))
