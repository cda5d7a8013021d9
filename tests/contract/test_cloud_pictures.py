"""Somebody's pictures in a cloud, on real servers of each kind."""

import uuid

import pytest

from okapia.batches.cloud_source import CloudSource
from okapia.batches.items import Item
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.domain.errors import InvalidRequest, UnreadableFile
from okapia.storage.cloud import open_cloud, open_pictures
from okapia.storage.cloud_address import Cloud, CloudAddress
from okapia.storage.cloud_secret import AccessKey, AccountKey, CloudSecret, SasToken, parse_secret
from tests.contract.blob_servers import Place

NAMES = ["cam-1/fox.jpg", "cam-1/night/lynx.JPG", "cam-2/notes.txt"]


def secret_of(place: Place, *, is_right: bool = True) -> CloudSecret:
    """Give what opens a place, as a caller would send it."""
    values = place.environment if is_right else place.wrong
    cloud = CloudAddress.parse(place.address).cloud
    return parse_secret(cloud, ":".join(values.values()))


@pytest.fixture
def filled(place: Place, monkeypatch: pytest.MonkeyPatch) -> CloudAddress:
    """A prefix with three blobs, whose credentials are forgotten again."""
    address = CloudAddress.parse(place.below(f"{uuid.uuid4()}"))
    with monkeypatch.context() as environment:
        for name, value in place.environment.items():
            environment.setenv(name, value)
        blobs = open_cloud(address)
        for name in NAMES:
            blobs.put(name, [name.encode()], max_bytes=100)
    return address


def test_all_pictures_are_found_in_order_with_what_tells_a_changed_one(
    place: Place, filled: CloudAddress
) -> None:
    source = CloudSource(lambda: open_pictures(filled, secret_of(place)), max_bytes=100)

    items = list(source.items())

    assert [item.name for item in items] == NAMES
    assert [item.n_bytes for item in items] == [len(name) for name in NAMES]
    assert all(item.version for item in items)
    assert [source.read(item) for item in items] == [name.encode() for name in NAMES]


def test_a_blob_that_is_gone_is_missing(place: Place, filled: CloudAddress) -> None:
    source = CloudSource(lambda: open_pictures(filled, secret_of(place)), max_bytes=100)

    with pytest.raises(MissingPicture):
        source.read(Item("cam-1/gone.jpg"))


def test_a_blob_that_is_too_large_is_its_own_fault(place: Place, filled: CloudAddress) -> None:
    source = CloudSource(lambda: open_pictures(filled, secret_of(place)), max_bytes=5)

    with pytest.raises(UnreadableFile, match="at most 5 bytes"):
        source.read(Item("cam-1/fox.jpg"))


def test_wrong_and_expired_credentials_are_asked_for_anew_and_not_repeated(
    place: Place, filled: CloudAddress
) -> None:
    wrong = secret_of(place, is_right=False)
    source = CloudSource(lambda: open_pictures(filled, wrong), max_bytes=100)

    with pytest.raises(CredentialsNeeded) as listed:
        list(source.items())
    with pytest.raises(CredentialsNeeded) as read:
        source.read(Item("cam-1/fox.jpg"))

    for value in place.wrong.values():
        assert value not in f"{listed.value!r} {read.value!r} {wrong!r}"


def test_a_cloud_that_does_not_answer_is_no_pictures_fault() -> None:
    address = CloudAddress.parse("s3://pictures?endpoint=http://127.0.0.1:9")
    pictures = open_pictures(address, AccessKey("lynx", "serval"), patience_s=0.5)
    source = CloudSource(lambda: pictures, max_bytes=100)

    with pytest.raises(SourceGone):
        list(source.items())


@pytest.mark.parametrize(
    ("cloud", "text", "secret"),
    [
        (Cloud.AZURE, "?sv=2024&sig=abc%3D", SasToken("sv=2024&sig=abc%3D")),
        (Cloud.AZURE, "bHlueA==\n", AccountKey("bHlueA==")),
        (Cloud.S3, "id:secret", AccessKey("id", "secret")),
        (Cloud.S3, "id:secret:token:of:role", AccessKey("id", "secret", "token:of:role")),
    ],
)
def test_secrets_are_read_as_people_have_them(cloud: Cloud, text: str, secret: CloudSecret) -> None:
    assert parse_secret(cloud, text) == secret


@pytest.mark.parametrize(
    ("cloud", "text"),
    [
        (Cloud.AZURE, "sv=2024&se=x"),
        (Cloud.AZURE, ""),
        (Cloud.S3, "id"),
        (Cloud.S3, "id:"),
        (Cloud.GCS, "key"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_repeated(cloud: Cloud, text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected") as refused:
        parse_secret(cloud, text)

    assert not text or f"{text!r}" not in str(refused.value)
