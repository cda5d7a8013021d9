"""What real stores do seldom: blobs that are cut off or replaced, and keys that nobody can ask for."""

from collections.abc import Iterator

import pytest

from okapia.batches.cloud_source import CloudSource, blob_name
from okapia.batches.items import Item
from okapia.batches.source import SourceGone
from okapia.domain.errors import InvalidRequest, UnreadableFile
from tests.unit.batches.s3_stub import Bucket, serving


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving({"cam/fox.jpg": b"a whole fox", "cam/lynx.jpg": b"a lynx"}) as bucket:
        yield bucket


def test_a_blob_that_was_cut_off_on_the_way_is_no_picture(bucket: Bucket) -> None:
    source = CloudSource(bucket.pictures, max_bytes=100)
    [fox, lynx] = source.items()
    bucket.cut["cam/fox.jpg"] = 5

    with pytest.raises(SourceGone, match="5 bytes of it came"):
        source.read(fox)
    assert source.read(lynx) == b"a lynx"


def test_a_blob_that_was_replaced_since_the_listing_is_read_as_it_is_now(bucket: Bucket) -> None:
    source = CloudSource(bucket.pictures, max_bytes=100)
    [fox, _] = source.items()
    bucket.blobs["cam/fox.jpg"] = b"half a fox"

    assert source.read(fox) == b"half a fox"


def test_a_store_that_refuses_three_requests_of_ten_loses_no_picture(bucket: Bucket) -> None:
    bucket.blobs = {f"cam/{number:02d}.jpg": f"fox {number}".encode() for number in range(20)}
    bucket.refuses = frozenset({1, 4, 7})
    source = CloudSource(bucket.pictures, max_bytes=100)

    read = {item.name: source.read(item) for item in source.items()}

    assert read == bucket.blobs
    assert bucket.requests >= 29


@pytest.mark.parametrize("key", ["cam//fox.jpg", "./fox.jpg", "cam/../fox.jpg"])
def test_a_key_that_cannot_be_asked_for_ends_the_listing_and_is_named(bucket: Bucket, key: str) -> None:
    bucket.blobs[key] = b"a fox"

    with pytest.raises(InvalidRequest) as refused:
        list(CloudSource(bucket.pictures, max_bytes=100).items())

    assert repr(key) in str(refused.value)


@pytest.mark.parametrize("name", ["Camera 1/fox #2+é.jpg", "cam/100%.jpg", "cam/%41.jpg"])
def test_unusual_names_are_listed_and_read_as_they_are(bucket: Bucket, name: str) -> None:
    bucket.blobs = {name: b"a fox"}
    source = CloudSource(bucket.pictures, max_bytes=100)

    [item] = source.items()

    assert item.name == name
    assert source.read(item) == b"a fox"
    assert source.read(Item(source.name_of(name))) == b"a fox"


@pytest.mark.parametrize("locator", ["/cam/fox.jpg", "../fox.jpg", "cam/../fox.jpg", "a\nb.jpg", "", "."])
def test_what_names_no_blob_is_refused(locator: str) -> None:
    with pytest.raises(UnreadableFile, match=r"without `\.\.`"):
        blob_name(locator)
