"""Every kind of blob store, each test in a place of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.storage.blob_stores import open_blobs
from okapia.storage.blobs import BlobStore
from okapia.storage.cloud import CloudBlobs
from tests.contract.blob_servers import Place, azure, forget_credentials, s3, with_sas

CLOUDS = ["s3", "azure", "azure-sas"]


@pytest.fixture(scope="session")
def s3_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3(tmp_path_factory.mktemp("s3")) as place:
        yield place


@pytest.fixture(scope="session")
def azure_place() -> Iterator[Place]:
    with azure() as place:
        yield place


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds none of the machine's own."""
    forget_credentials(monkeypatch)


@pytest.fixture(params=CLOUDS)
def place(request: pytest.FixtureRequest, no_credentials: None) -> Place:
    """A cloud; its credentials are not in the environment yet."""
    del no_credentials
    return place_of(request, request.param)


@pytest.fixture(params=["folder", *CLOUDS])
def blobs(
    request: pytest.FixtureRequest, no_credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> BlobStore:
    """An empty store."""
    del no_credentials
    if request.param == "folder":
        return open_blobs("", home=tmp_path)
    return open_at(place_of(request, request.param), monkeypatch)


@pytest.fixture(params=["s3", "azure"])
def signing_blobs(
    request: pytest.FixtureRequest, no_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> CloudBlobs:
    """An empty store that can sign uploads."""
    del no_credentials
    return open_at(place_of(request, request.param), monkeypatch)


def place_of(request: pytest.FixtureRequest, kind: str) -> Place:
    """Start the server of that kind of cloud, if no test has yet."""
    found = request.getfixturevalue("s3_place" if kind == "s3" else "azure_place")
    assert isinstance(found, Place)
    return with_sas(found) if kind == "azure-sas" else found


def open_at(place: Place, monkeypatch: pytest.MonkeyPatch) -> CloudBlobs:
    """Open a prefix that nobody else uses."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    blobs = open_blobs(place.below(f"{uuid.uuid4()}/blobs"), home=Path("nowhere"))
    assert isinstance(blobs, CloudBlobs)
    return blobs
