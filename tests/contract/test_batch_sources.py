"""The same pictures in a folder, behind S3 and in an Azure container are the same to a batch."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from okapia.batches.batch import Batch, State
from okapia.batches.items import Item
from okapia.batches.list_source import ListEntry
from okapia.batches.source import CredentialsNeeded, MissingPicture
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID
from okapia.service.batch_request import SOURCE, PlaceOfPictures, Secrets
from okapia.service.batch_sources import Sources
from okapia.service.storages import Storages
from okapia.storage.cloud import open_cloud
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault
from tests.contract.blob_servers import BUCKET, Place
from tests.unit.jobs.drafts import NOON

BATCH = Batch("b0b1", LOCAL_USER_ID, State.LISTING, NOON)
NAMES = ["cam-1/fox.jpg", "cam-1/night/lynx.jpg", "cam-2/genet.jpg"]


@dataclass(frozen=True)
class Collection:
    """Real pictures in a folder and in a cloud, and a server that may read both.

    Attributes:
        in_cloud: their place there, which opens with `secrets` only.
    """

    sources: Sources
    storages: Storages
    folder: PlaceOfPictures
    in_cloud: PlaceOfPictures
    secrets: Secrets

    def pictures(self, place: PlaceOfPictures, secrets: Secrets) -> list[tuple[str, int | None, bytes]]:
        source = self.sources.open(BATCH, place, secrets)
        return [(item.name, item.n_bytes, source.read(item)) for item in source.items()]


def opening(environment: Mapping[str, str]) -> Secrets:
    """Give what opens a place, as a caller would send it."""
    return {SOURCE: ":".join(environment.values())}


@pytest.fixture
def collection(
    place: Place, database: Database, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> Collection:
    address = place.below(f"{uuid.uuid4()}")
    photographs = sorted((shared_data / "camera-traps").rglob("*.jpg"))[: len(NAMES)]
    with monkeypatch.context() as environment:
        for name, value in place.environment.items():
            environment.setenv(name, value)
        blobs = open_cloud(CloudAddress.parse(address))
        for name, photograph in zip(NAMES, photographs, strict=True):
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photograph.read_bytes())
            blobs.put(name, [photograph.read_bytes()], max_bytes=10_000_000)
    storages = Storages(database, Vault(b"k" * 32))
    storages.add("lab", f"{place.address}?endpoint={place.endpoint}", None)
    sources = Sources(
        roots=SourceRoots([tmp_path / "pictures"]),
        storages=storages,
        blobs=FolderBlobs(tmp_path / "blobs"),
        fetch=None,
        max_bytes=10_000_000,
    )
    return Collection(
        sources,
        storages,
        PlaceOfPictures(address=str(tmp_path / "pictures")),
        PlaceOfPictures(address=address),
        opening(place.environment),
    )


def test_items_and_bytes_are_those_of_the_folder(collection: Collection) -> None:
    collection.sources.check(collection.in_cloud, collection.secrets)

    in_folder = collection.pictures(collection.folder, {})

    assert [name for name, _, _ in in_folder] == NAMES
    assert collection.pictures(collection.in_cloud, collection.secrets) == in_folder


def test_a_named_storage_gives_them_without_the_callers_secret(collection: Collection) -> None:
    address = collection.in_cloud.address
    collection.storages.add("named", address, collection.secrets[SOURCE])

    named = collection.pictures(PlaceOfPictures(address="storage:named"), {})

    assert named == collection.pictures(collection.folder, {})
    below = collection.pictures(PlaceOfPictures(address="storage:named/cam-1"), {})
    assert [name for name, _, _ in below] == ["fox.jpg", "night/lynx.jpg"]


def test_a_list_gives_them_as_often_as_it_names_them(collection: Collection) -> None:
    wanted = [NAMES[2], NAMES[0], NAMES[2]]
    key, secrets = collection.sources.keep_list(BATCH.id, map(ListEntry, wanted), collection.secrets)

    in_cloud = collection.pictures(replace(collection.in_cloud, list_key=key), secrets)

    assert [name for name, _, _ in in_cloud] == wanted
    assert in_cloud == collection.pictures(replace(collection.folder, list_key=key), secrets)


def test_an_expired_or_wrong_secret_stops_the_batch_and_no_picture(
    collection: Collection, place: Place
) -> None:
    source = collection.sources.open(BATCH, collection.in_cloud, opening(place.wrong))

    with pytest.raises(CredentialsNeeded):
        list(source.items())
    with pytest.raises(CredentialsNeeded):
        source.read(Item(NAMES[0]))


def test_a_named_storage_that_gets_the_right_secret_goes_on(collection: Collection, place: Place) -> None:
    collection.storages.add("named", collection.in_cloud.address, opening(place.wrong)[SOURCE])
    source = collection.sources.open(BATCH, PlaceOfPictures(address="storage:named"), {})
    with pytest.raises(CredentialsNeeded):
        list(source.items())

    collection.storages.remove("named")
    collection.storages.add("named", collection.in_cloud.address, collection.secrets[SOURCE])

    assert [item.name for item in source.items()] == NAMES


def test_a_container_that_is_gone_stops_the_batch_and_no_picture_is_missing(
    collection: Collection, place: Place
) -> None:
    gone = PlaceOfPictures(
        address=f"{place.address.removesuffix(BUCKET)}gone-since?endpoint={place.endpoint}"
    )
    source = collection.sources.open(BATCH, gone, collection.secrets)

    with pytest.raises(CredentialsNeeded):
        source.read(Item(NAMES[0]))
    with pytest.raises(MissingPicture):
        collection.sources.open(BATCH, collection.in_cloud, collection.secrets).read(Item("cam-1/gone.jpg"))
