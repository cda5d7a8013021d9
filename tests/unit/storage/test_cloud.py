"""What the servers of the contract tests cannot show: Google's signatures, faults, unreadable credentials."""

import hashlib
import json
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from okapia.domain.errors import InvalidSettings
from okapia.domain.storage_errors import StorageError, StorageRefused, StorageUnavailable
from okapia.storage.cloud import CloudBlobs, open_cloud
from okapia.storage.cloud_address import CloudAddress
from tests.contract.blob_servers import forget_credentials

KEY = "uploads/lynx.jpg"


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_credentials(monkeypatch)


@contextmanager
def answering(statuses: list[int]) -> Iterator[str]:
    """Serve these answers to HEAD, one a request, and the last one for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "4")
            self.send_header("Last-Modified", "Sat, 21 Nov 2026 10:40:55 GMT")
            self.send_header("ETag", '"lynx"')
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def s3_at(url: str, monkeypatch: pytest.MonkeyPatch, *, patience_s: float) -> CloudBlobs:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lynxlynx")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "caracal")
    return open_cloud(CloudAddress.parse(f"s3://pictures?endpoint={url}"), patience_s=patience_s)


def test_a_cloud_that_stumbles_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering([503, 500, 200]) as url:
        blobs = s3_at(url, monkeypatch, patience_s=60)

        assert blobs.size(KEY) == 4


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (400, StorageRefused, "it answered 400; wrong region?"),
        (401, StorageRefused, "accept the server's credentials, it answered 401"),
        (403, StorageRefused, "accept the server's credentials, it answered 403"),
        (429, StorageUnavailable, "expected the cloud to work, it answered 429"),
        (503, StorageUnavailable, "expected the cloud to work, it answered 503"),
    ],
)
def test_an_answer_says_whether_trying_again_makes_sense(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[StorageError], sentence: str
) -> None:
    with answering([status]) as url:
        blobs = s3_at(url, monkeypatch, patience_s=0.1)

        with pytest.raises(kind) as caught:
            blobs.size(KEY)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("address", "variable"),
    [
        ("az://mara/pictures", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("az://mara/pictures", "AZURE_STORAGE_SAS_TOKEN"),
        ("gs://pictures", "GOOGLE_SERVICE_ACCOUNT_KEY"),
    ],
)
def test_credentials_that_cannot_be_read_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "no base64, no JSON: caracal")

    with pytest.raises(InvalidSettings, match="credentials in the environment cannot be read") as caught:
        open_cloud(CloudAddress.parse(address))

    assert "caracal" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("address", ["s3://pictures", "az://mara/pictures"])
def test_without_any_credentials_a_call_is_refused_and_says_so(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AZURE_MSI_ENDPOINT", "http://127.0.0.1:1/metadata/identity/oauth2/token")
    blobs = open_cloud(CloudAddress.parse(address), patience_s=0.1)

    with pytest.raises(StorageRefused, match="in the environment or a role, found neither"):
        blobs.size(KEY)


def test_http_is_spoken_only_where_the_endpoint_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering([200]) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lynxlynx")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "caracal")
        blobs = open_cloud(CloudAddress.parse("s3://pictures"), patience_s=0.1)

        with pytest.raises(StorageUnavailable, match="did not"):
            blobs.size(KEY)


def test_google_uploads_are_signed_with_the_service_accounts_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", _service_account(key))
    blobs = open_cloud(CloudAddress.parse("gs://pictures/okapia"))

    signed = blobs.upload_url(KEY, content_type="image/jpeg", expires_in_s=900)

    assert signed is not None
    assert signed.headers == {"Content-Type": "image/jpeg"}
    url = urlsplit(signed.url)
    assert (url.scheme, url.netloc, url.path) == (
        "https",
        "storage.googleapis.com",
        "/pictures/okapia/uploads/lynx.jpg",
    )
    query = dict(parse_qsl(url.query))
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    assert query["X-Goog-Expires"] == "900"
    key.public_key().verify(
        signature, _string_to_sign("PUT", url.path, query), padding.PKCS1v15(), hashes.SHA256()
    )


def _service_account(key: rsa.RSAPrivateKey) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fields = {
        "type": "service_account",
        "private_key": pem.decode(),
        "private_key_id": "1",
        "client_email": "okapia@mara.iam.gserviceaccount.com",
    }
    return json.dumps(fields)


def _string_to_sign(method: str, path: str, query: dict[str, str]) -> bytes:
    """Follow cloud.google.com/storage/docs/authentication/signatures."""
    canonical_query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
    request = [method, path, canonical_query, "host:storage.googleapis.com", "", "host", "UNSIGNED-PAYLOAD"]
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    scope = query["X-Goog-Credential"].split("/", 1)[1]
    return "\n".join([query["X-Goog-Algorithm"], query["X-Goog-Date"], scope, digest]).encode()
