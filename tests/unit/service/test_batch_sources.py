"""Which places callers may name for a batch, and what is opened for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from okapia.batches.batch import Batch, State
from okapia.batches.items import Item
from okapia.batches.list_source import ListEntry, parse_list
from okapia.batches.source import CredentialsNeeded, SourceGone
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.errors import InvalidRequest, SourceRefused, SourceUnavailable
from okapia.domain.storage_errors import BlobMissing
from okapia.service.batch_request import LIST_URL, SOURCE, PlaceOfPictures, Secrets
from okapia.service.batch_sources import FetchList, Sources
from okapia.service.storages import Storages
from okapia.storage.fetch_errors import AccessRefused, HostSilent, NothingThere
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault
from tests.unit.batches.s3_stub import serving
from tests.unit.jobs.drafts import NOON

BATCH = Batch("b0b1", LOCAL_USER_ID, State.LISTING, NOON)
KEY = "lynx:serval"
SIGNED = "https://pictures.test/fox.jpg?sig=aardwolf"
WEB = {SIGNED: b"a fox", "https://pictures.test/lynx.jpg": b"a lynx"}


def fetch(url: str) -> bytes:
    if url not in WEB:
        raise NothingThere("expected status 200, the server answered 404")
    return WEB[url]


@dataclass(frozen=True)
class Place:
    """A server's sources, with a folder below its roots and another beside it."""

    home: Path
    storages: Storages
    sources: Sources
    folder: Path

    def with_list_at(self, fetch_list: FetchList) -> Sources:
        return sources_of(self.home, self.storages, roots=SourceRoots([self.folder]), fetch_list=fetch_list)


def sources_of(
    home: Path, storages: Storages, *, roots: SourceRoots | None, fetch_list: FetchList | None = None
) -> Sources:
    return Sources(
        roots=roots,
        storages=storages,
        blobs=FolderBlobs(home / "blobs"),
        fetch=fetch,
        max_bytes=100,
        fetch_list=fetch_list,
    )


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    for name in ["pictures/cam/fox.jpg", "pictures/cam/lynx.jpg", "outside/key.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    folder = tmp_path / "pictures"
    storages = Storages(database, Vault(b"k" * 32))
    return Place(tmp_path, storages, sources_of(tmp_path, storages, roots=SourceRoots([folder])), folder)


def at(address: object) -> PlaceOfPictures:
    return PlaceOfPictures(address=str(address))


def listed(sources: Sources, place: PlaceOfPictures, secrets: Secrets | None = None) -> list[Item]:
    return list(sources.open(BATCH, place, secrets or {}).items())


# --- folders ---------------------------------------------------------------------------


def test_a_folder_below_the_roots_is_read(place: Place) -> None:
    place.sources.check(at(place.folder / "cam"), {})

    assert [item.name for item in listed(place.sources, at(place.folder / "cam"))] == ["fox.jpg", "lynx.jpg"]


def test_other_folders_are_refused_whether_they_are_there_or_not(place: Place) -> None:
    (place.folder / "way out").symlink_to(place.home / "outside")
    outside = ["outside", "nowhere", "pictures/../outside", "pictures/way out"]

    refusals = set()
    for name in outside:
        with pytest.raises(SourceRefused) as refused:
            place.sources.check(at(place.home / name), {})
        refusals.add(str(refused.value))

    assert len(refusals) == 2  # `..` is refused by its spelling alone


@pytest.mark.parametrize("address", ["pictures", "./pictures", "C:pictures", "/pictures\0"])
def test_a_folder_has_an_absolute_path(place: Place, address: str) -> None:
    with pytest.raises(SourceRefused):
        place.sources.check(at(address), {})


def test_a_folder_that_is_not_there_is_said_at_once(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="No such file"):
        place.sources.check(at(place.folder / "cam 2"), {})
    with pytest.raises(InvalidRequest, match="got a file"):
        place.sources.check(at(place.folder / "cam/fox.jpg"), {})


def test_on_ones_own_machine_any_folder_will_do(place: Place) -> None:
    sources = sources_of(place.home, place.storages, roots=None)

    sources.check(at(place.home / "outside"), {})

    assert [item.name for item in listed(sources, at(place.home / "outside"))] == ["key.jpg"]
    with pytest.raises(InvalidRequest, match="there is none"):
        sources.check(at(place.home / "nowhere"), {})


def test_a_folder_needs_no_secret(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="in a cloud only"):
        place.sources.check(at(place.folder), {SOURCE: KEY})


# --- clouds ----------------------------------------------------------------------------


def test_a_named_storage_is_read_below_a_prefix_too(place: Place) -> None:
    with serving({"cam/fox.jpg": b"a fox"}) as bucket:
        place.storages.add("nas", f"s3://pictures?endpoint={bucket.url}", KEY)
        place.sources.check(at("storage:nas"), {})

        [fox] = listed(place.sources, at("storage:nas"))

        assert fox.name == "cam/fox.jpg"
        assert place.sources.open(BATCH, at("storage:nas/cam"), {}).read(Item("fox.jpg")) == b"a fox"


def test_a_caller_with_a_secret_may_name_the_servers_of_named_storages(place: Place) -> None:
    with serving({"fox.jpg": b"a fox"}) as bucket:
        address = at(f"s3://theirs?endpoint={bucket.url}")

        with pytest.raises(SourceRefused, match="okapia storage add"):
            place.sources.check(address, {SOURCE: KEY})
        place.storages.add("nas", f"s3://pictures?endpoint={bucket.url}", None)
        place.sources.check(address, {SOURCE: KEY})


@pytest.mark.parametrize("address", ["s3://pictures", "az://parks/pictures", "gs://pictures"])
def test_the_servers_own_identity_is_nobody_elses(place: Place, address: str) -> None:
    with pytest.raises(SourceRefused, match="expected a secret"):
        place.sources.check(at(address), {})
    sources_of(place.home, place.storages, roots=None).check(at(address), {})


@pytest.mark.parametrize("key", ["gcs_base_url", "gcs\\u005fbase_url"])
def test_a_google_key_that_leads_to_another_server_is_refused(place: Place, key: str) -> None:
    secret = f'{{"client_email": "a@b.test", "{key}": "http://169.254.169.254"}}'

    with pytest.raises(SourceRefused, match="the cloud's own servers"):
        place.sources.check(at("gs://pictures"), {SOURCE: secret})


def test_a_google_key_that_is_none_needs_another(place: Place) -> None:
    with pytest.raises(CredentialsNeeded, match="can be read") as needed:
        list(place.sources.open(BATCH, at("gs://pictures"), {SOURCE: '{"private_key": "aardwolf"}'}).items())

    assert "aardwolf" not in str(needed.value)


@pytest.mark.parametrize(
    ("address", "secret", "expected"),
    [
        ("s3://pictures", "aardwolf", "ACCESS_KEY_ID"),
        ("az://parks/pictures?sig=aardwolf", KEY, "expected s3://"),
        ("ftp://pictures", KEY, "expected s3://"),
        ("storage:aardwolf", "", "the name of a storage"),
        ("storage:nas", KEY, "with an address in a cloud only"),
        ("storage:nas/../secrets", "", "without `..`"),
    ],
)
def test_a_wrong_address_or_secret_is_said_at_once(
    place: Place, address: str, secret: str, expected: str
) -> None:
    place.storages.add("nas", "s3://pictures", KEY)

    with pytest.raises(InvalidRequest) as refused:
        place.sources.check(at(address), {SOURCE: secret})

    assert expected in str(refused.value)


def test_a_storage_that_lost_its_name_is_gone_and_the_batch_waits(place: Place) -> None:
    with pytest.raises(SourceGone, match="name of a storage"):
        listed(place.sources, at("storage:nas"))


def test_files_go_to_a_named_storage_under_their_names(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(b"{}")
    with serving({}) as bucket:
        place.storages.add("nas", f"s3://pictures?endpoint={bucket.url}", KEY)

        place.sources.writer("storage:nas/out", None)(file, "all.json")

        assert bucket.blobs == {"out/all.json": b"{}"}


# --- lists -----------------------------------------------------------------------------


def test_a_list_that_came_with_the_request_names_pictures_of_a_place(place: Place) -> None:
    entries = [ListEntry("cam/lynx.jpg", "subject 7"), ListEntry("../key.jpg"), ListEntry("cam/lynx.jpg")]
    key, secrets = place.sources.keep_list(BATCH.id, entries, {})

    source = place.sources.open(BATCH, replace(at(place.folder), list_key=key), secrets)

    [lynx, odd, again] = source.items()
    assert (lynx.name, lynx.meta, again.name) == ("cam/lynx.jpg", "subject 7", "cam/lynx.jpg")
    assert odd.problem is not None
    assert source.read(again) == b"pictures/cam/lynx.jpg"


def test_a_list_of_urls_is_kept_without_their_secrets(place: Place) -> None:
    place.sources.check(PlaceOfPictures(), {})

    key, secrets = place.sources.keep_list(BATCH.id, map(ListEntry, WEB), {SOURCE: "kept"})

    source = place.sources.open(BATCH, PlaceOfPictures(list_key=key), secrets)
    items = list(source.items())
    assert [item.name for item in items] == [
        "https://pictures.test/fox.jpg",
        "https://pictures.test/lynx.jpg",
    ]
    assert [source.read(item) for item in items] == [b"a fox", b"a lynx"]
    assert "aardwolf" not in repr(items)
    assert secrets[SOURCE] == "kept"


def test_without_the_batchs_secrets_its_signed_urls_are_lost(place: Place) -> None:
    key, secrets = place.sources.keep_list(BATCH.id, [ListEntry(SIGNED)], {})
    kept = PlaceOfPictures(list_key=key)
    [item] = listed(place.sources, kept, secrets)

    with pytest.raises(CredentialsNeeded):
        place.sources.open(BATCH, kept, {}).read(item)
    with pytest.raises(CredentialsNeeded):
        place.sources.open(replace(BATCH, id="b0b2"), kept, secrets).read(item)


def test_a_list_of_many_parts_comes_back_in_its_order(place: Place) -> None:
    names = [f"cam/{number}.jpg" for number in range(40_000)]

    key, secrets = place.sources.keep_list(BATCH.id, map(ListEntry, names), {})

    found = listed(place.sources, replace(at(place.folder), list_key=key), secrets)
    assert [item.name for item in found] == names


@pytest.mark.parametrize("text", [b"[]", b""])
def test_an_empty_list_has_no_pictures(place: Place, text: bytes) -> None:
    key, secrets = place.sources.keep_list(BATCH.id, parse_list([text]), {})

    assert listed(place.sources, PlaceOfPictures(list_key=key), secrets) == []


def test_nothing_is_kept_of_a_list_that_is_cut_off(place: Place) -> None:
    names = ", ".join(f'"{number}.jpg"' for number in range(20_000))

    with pytest.raises(InvalidRequest, match="cut off"):
        place.sources.keep_list(BATCH.id, parse_list([f"[{names}, ".encode()]), {})

    assert list(FolderBlobs(place.home / "blobs").keys("")) == []


def test_a_part_of_a_list_that_is_lost_is_not_passed_over(place: Place) -> None:
    key, secrets = place.sources.keep_list(BATCH.id, [ListEntry("cam/fox.jpg")], {})
    FolderBlobs(place.home / "blobs").delete(f"batches/{BATCH.id}/list/0")

    with pytest.raises(BlobMissing):
        listed(place.sources, replace(at(place.folder), list_key=key), secrets)


# --- lists by URL ----------------------------------------------------------------------


@contextmanager
def web_list(url: str) -> Iterator[Iterator[bytes]]:
    assert url == "https://lists.test/?sig=aardwolf"
    yield iter([b'[["https://pictures.test/lynx.jpg", "7"],', f'["{SIGNED}", "8"]]'.encode()])


FETCHED = PlaceOfPictures(fetches_list=True)
BY_URL = {LIST_URL: "https://lists.test/?sig=aardwolf"}


def test_a_list_is_fetched_when_the_batch_is_listed(place: Place) -> None:
    sources = place.with_list_at(web_list)
    sources.check(FETCHED, BY_URL)

    [lynx, fox] = listed(sources, FETCHED, BY_URL)

    assert (lynx.name, lynx.meta) == ("https://pictures.test/lynx.jpg", "7")
    assert sources.open(BATCH, FETCHED, BY_URL).read(fox) == b"a fox"
    assert "aardwolf" not in repr(fox)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (HostSilent("the server broke off"), SourceGone),
        (AccessRefused("expected status 200, the server answered 403"), CredentialsNeeded),
        (NothingThere("expected status 200, the server answered 404"), InvalidRequest),
        (SourceRefused("expected a host on the public internet"), InvalidRequest),
        (SourceUnavailable("expected at most 4 bytes, the server sends more"), InvalidRequest),
    ],
)
def test_a_list_that_does_not_come_says_what_to_do(
    place: Place, met: SourceUnavailable, expected: type[Exception]
) -> None:
    @contextmanager
    def broken(url: str) -> Iterator[Iterator[bytes]]:
        del url
        yield _until(b'["https://pictures.test/lynx.jpg",', met)

    with pytest.raises(expected, match="the list: "):
        listed(place.with_list_at(broken), FETCHED, BY_URL)


def _until(data: bytes, error: Exception) -> Iterator[bytes]:
    yield data
    raise error


def test_lists_by_url_come_through_the_guard_unless_told_otherwise(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="expected a host on the public internet"):
        listed(place.sources, FETCHED, {LIST_URL: "http://127.0.0.1/list.json"})


def test_a_batch_has_a_place_or_a_list(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="got neither"):
        place.sources.open(BATCH, PlaceOfPictures(), {})
    with pytest.raises(InvalidRequest, match="the URL of the list"):
        place.sources.check(FETCHED, {})


@pytest.mark.parametrize("wanted", [FETCHED, PlaceOfPictures()])
def test_without_fetching_no_url_is_taken(place: Place, wanted: PlaceOfPictures) -> None:
    sources = Sources(
        roots=None, storages=place.storages, blobs=FolderBlobs(place.home / "b"), fetch=None, max_bytes=1
    )

    with pytest.raises(SourceRefused, match="OKAPIA_FETCH_URLS"):
        sources.check(wanted, BY_URL)
