"""What every blob store does, on real servers of each kind."""

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import obstore
import pytest

from okapia.domain.errors import InvalidRequest, PayloadTooLarge
from okapia.domain.storage_errors import BlobMissing, StorageError, StorageRefused, StorageUnavailable
from okapia.storage.blob_stores import open_blobs
from okapia.storage.blobs import BlobStore, SignedUpload
from okapia.storage.cloud import CloudBlobs, open_cloud
from okapia.storage.cloud_address import CloudAddress
from tests.contract.blob_servers import Place

KEY = "uploads/7f3a-lynx.jpg"
MB = 1_000_000

NO_KEYS = ["", "/etc/passwd", "../lynx", "a/../../lynx", "a//b", "a/", ".hidden", "a/.b", "a.", "a\0b", "a b"]
NO_KEYS += ["a%2e", "a\\b", "C:/lynx", "a\n", "fuchs-ä", "x" * 256]


class CallerGone(Exception):
    """The connection of whoever uploads broke."""


def cut_off_after(chunks: int) -> Iterator[bytes]:
    for _ in range(chunks):
        yield bytes(MB)
    raise CallerGone


def sign(blobs: BlobStore, *, expires_in_s: int) -> SignedUpload:
    signed = blobs.upload_url(KEY, content_type="image/png", expires_in_s=expires_in_s)
    assert signed is not None
    return signed


@pytest.mark.parametrize(
    "chunks", [[b"ly", b"", b"nx"], [], [bytes(MB)] * 12], ids=["small", "empty", "12 MB"]
)
def test_what_is_put_is_read_back(blobs: BlobStore, chunks: list[bytes]) -> None:
    n_bytes = blobs.put(KEY, chunks, max_bytes=12 * MB)

    assert n_bytes == sum(map(len, chunks)) == blobs.size(KEY)
    assert blobs.read(KEY, max_bytes=n_bytes) == b"".join(chunks)
    assert b"".join(blobs.chunks(KEY)) == b"".join(chunks)


def test_a_large_blob_comes_in_pieces(blobs: BlobStore) -> None:
    blobs.put(KEY, [bytes(MB)] * 12, max_bytes=12 * MB)

    assert max(map(len, blobs.chunks(KEY))) < 3 * MB


def test_a_second_put_replaces_the_first(blobs: BlobStore) -> None:
    blobs.put(KEY, [b"a lynx at night"], max_bytes=100)

    blobs.put(KEY, [b"a fox"], max_bytes=100)

    assert blobs.read(KEY, max_bytes=100) == b"a fox"


def test_what_was_never_put_is_missing(blobs: BlobStore) -> None:
    assert blobs.size(KEY) is None
    with pytest.raises(BlobMissing, match="none"):
        blobs.read(KEY, max_bytes=100)
    with pytest.raises(BlobMissing, match="none"):
        list(blobs.chunks(KEY))


def test_what_is_deleted_is_gone_and_may_be_deleted_again(blobs: BlobStore) -> None:
    blobs.put(KEY, [b"lynx"], max_bytes=100)

    blobs.delete(KEY)
    blobs.delete(KEY)

    assert blobs.size(KEY) is None
    assert list(blobs.keys("")) == []


@pytest.mark.parametrize("n_chunks", [1, 8])
def test_an_upload_that_breaks_off_leaves_nothing(blobs: BlobStore, n_chunks: int) -> None:
    with pytest.raises(CallerGone):
        blobs.put(KEY, cut_off_after(n_chunks), max_bytes=100 * MB)

    assert blobs.size(KEY) is None
    assert list(blobs.keys("")) == []


def test_an_upload_that_breaks_off_leaves_what_was_there(blobs: BlobStore) -> None:
    blobs.put(KEY, [b"lynx"], max_bytes=100)

    with pytest.raises(CallerGone):
        blobs.put(KEY, cut_off_after(8), max_bytes=100 * MB)

    assert blobs.read(KEY, max_bytes=100) == b"lynx"


def test_more_bytes_than_allowed_leave_nothing_and_are_not_asked_for(blobs: BlobStore) -> None:
    chunks = iter([b"ly", b"nx", b"ca", b"racal"])

    with pytest.raises(PayloadTooLarge, match=r"larger than 5 bytes"):
        blobs.put(KEY, chunks, max_bytes=5)

    assert list(chunks) == [b"racal"]
    assert list(blobs.keys("")) == []


def test_as_many_bytes_as_allowed_are_taken_and_given(blobs: BlobStore) -> None:
    blobs.put(KEY, [b"ly", b"nx"], max_bytes=4)

    assert blobs.read(KEY, max_bytes=4) == b"lynx"
    with pytest.raises(PayloadTooLarge, match=r"larger than 3 bytes"):
        blobs.read(KEY, max_bytes=3)


@pytest.mark.parametrize("name", NO_KEYS)
def test_names_that_are_no_keys_are_refused_everywhere(blobs: BlobStore, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(name, [b"lynx"], max_bytes=100),
        lambda: blobs.read(name, max_bytes=100),
        lambda: blobs.size(name),
        lambda: blobs.delete(name),
        lambda: blobs.upload_url(name, content_type="image/jpeg", expires_in_s=60),
        lambda: blobs.download_url(name, expires_in_s=60, filename="lynx.jpg"),
        lambda: list(blobs.chunks(name)),
        lambda: list(blobs.keys(name or "/")),
    ]

    for call in calls:
        with pytest.raises(InvalidRequest, match="segments joined by /"):
            call()


def test_keys_lists_whole_segments_below_a_prefix(blobs: BlobStore) -> None:
    for key in ("uploads/1", "uploads/night/2", "uploads2/3", "4"):
        blobs.put(key, [b"lynx"], max_bytes=100)

    assert sorted(blobs.keys("")) == ["4", "uploads/1", "uploads/night/2", "uploads2/3"]
    assert sorted(blobs.keys("uploads")) == ["uploads/1", "uploads/night/2"]
    assert sorted(blobs.keys("uploads/night")) == ["uploads/night/2"]
    assert list(blobs.keys("upload")) == []


def test_thirty_uploads_at_once_all_arrive(blobs: BlobStore) -> None:
    pictures = {f"uploads/{i:02}": bytes([i]) * 50_000 for i in range(30)}

    with ThreadPoolExecutor(30) as threads:
        sizes = threads.map(lambda key: blobs.put(key, [pictures[key]], max_bytes=MB), pictures)

    assert set(sizes) == {50_000}
    assert {key: blobs.read(key, max_bytes=MB) for key in blobs.keys("uploads")} == pictures


def test_puts_of_one_key_at_once_leave_one_of_them_whole(blobs: BlobStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: blobs.put(KEY, [bytes([i]) * MB] * 2, max_bytes=2 * MB), range(8)))

    found = blobs.read(KEY, max_bytes=2 * MB)

    assert len(found) == 2 * MB
    assert len(set(found)) == 1


def test_only_the_folder_and_a_sas_token_cannot_sign(
    blobs: BlobStore, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["blobs"]

    signed = blobs.upload_url(KEY, content_type="image/jpeg", expires_in_s=60)
    url = blobs.download_url(KEY, expires_in_s=60, filename="lynx.jpg")

    assert (signed is None) == (url is None) == (kind in {"folder", "azure-sas"})


def test_a_signed_download_needs_no_credentials_and_is_for_its_key_only(signing_blobs: CloudBlobs) -> None:
    signing_blobs.put(KEY, [b"lynx"], max_bytes=100)
    signing_blobs.put(KEY.replace("lynx", "wolf"), [b"wolf"], max_bytes=100)
    url = signing_blobs.download_url(KEY, expires_in_s=60, filename="lynx.jpg")
    assert url is not None

    assert httpx.get(url).content == b"lynx"
    assert httpx.get(url.replace("lynx.", "wolf.")).status_code == 403
    assert httpx.put(url, content=b"fox").is_error


def test_a_signed_download_ends(signing_blobs: CloudBlobs) -> None:
    signing_blobs.put(KEY, [b"lynx"], max_bytes=100)
    url = signing_blobs.download_url(KEY, expires_in_s=1, filename="lynx.jpg")
    assert url is not None

    time.sleep(1.5)  # the server's clock; it counts whole seconds

    assert httpx.get(url).is_client_error


def test_a_signed_upload_needs_no_credentials_and_keeps_its_content_type(signing_blobs: CloudBlobs) -> None:
    signed = sign(signing_blobs, expires_in_s=60)

    answer = httpx.put(signed.url, content=b"lynx", headers=signed.headers)

    assert answer.is_success
    assert signing_blobs.read(KEY, max_bytes=100) == b"lynx"
    assert obstore.get(signing_blobs._store, KEY).attributes["Content-Type"] == "image/png"


def test_a_signed_upload_is_for_its_key_only(signing_blobs: CloudBlobs) -> None:
    signed = sign(signing_blobs, expires_in_s=60)

    answer = httpx.put(signed.url.replace("lynx", "wolf"), content=b"wolf", headers=signed.headers)

    assert answer.status_code == 403
    assert list(signing_blobs.keys("")) == []


def test_a_signed_upload_ends(signing_blobs: CloudBlobs) -> None:
    signed = sign(signing_blobs, expires_in_s=1)

    time.sleep(1.5)  # the server's clock; it counts whole seconds
    answer = httpx.put(signed.url, content=b"lynx", headers=signed.headers)

    assert answer.is_client_error
    assert signing_blobs.size(KEY) is None


def test_wrong_credentials_are_refused_without_a_word_of_them(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, value in place.wrong.items():
        monkeypatch.setenv(name, value)
    blobs = open_blobs(place.below("wrong"), home=tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(KEY, [b"lynx"], max_bytes=100),
        lambda: blobs.read(KEY, max_bytes=100),
        lambda: blobs.size(KEY),
        lambda: blobs.delete(KEY),
        lambda: list(blobs.keys("")),
    ]

    for call in calls:
        with pytest.raises(
            StorageRefused, match="accept the server's credentials, it answered 403"
        ) as caught:
            call()
        assert_untold(place, caught.value, caplog, blobs)


def test_a_cloud_that_is_not_there_is_unavailable_without_a_word_of_its_credentials(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    nowhere = CloudAddress.parse(f"{place.address}?endpoint=http://127.0.0.1:1")
    blobs = open_cloud(nowhere, patience_s=0.1)

    with pytest.raises(StorageUnavailable, match="expected the cloud to answer, it did not") as caught:
        blobs.put(KEY, [b"lynx"], max_bytes=100)

    assert caught.value.retry_after_s == 30
    assert_untold(place, caught.value, caplog, blobs)


def test_a_bucket_that_does_not_exist_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    address = place.below("x").replace("/pictures/", "/nobody-made-this/")
    blobs = open_blobs(address, home=tmp_path)

    with pytest.raises(StorageRefused):
        blobs.put(KEY, [b"lynx"], max_bytes=100)


def test_a_signed_upload_does_not_show_its_url(signing_blobs: CloudBlobs) -> None:
    signed = sign(signing_blobs, expires_in_s=60)

    assert "http" not in repr(signed)


def assert_untold(
    place: Place, error: StorageError, caplog: pytest.LogCaptureFixture, blobs: BlobStore
) -> None:
    """Neither credentials nor addresses are in what a person, a log or a traceback shows."""
    shown = [
        *traceback.format_exception(error),
        str(error),
        repr(error),
        caplog.text,
        repr(blobs),
        str(blobs),
    ]
    secrets = [*place.environment.values(), *place.wrong.values(), "sig=", "127.0.0.1", KEY]
    for secret in secrets:
        assert not [text for text in shown if secret in text]
