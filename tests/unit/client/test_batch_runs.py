"""Batches through the client, done by the real application."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from okapia.client import (
    BatchRun,
    Conflict,
    NoAnswer,
    NotFound,
    Okapia,
    Options,
    Outputs,
    Source,
    WaitedTooLong,
)
from okapia.settings import Settings
from tests.unit.client.conftest import serving
from tests.unit.client.faults import Faults, ManualClock
from tests.unit.dialects.batch_steps import make_pictures

CANARY = "c4n4rYc4n4rY"
PROGRESS = {
    "images": 9,
    "ended": 0,
    "done": 0,
    "damaged": 0,
    "undecodable": 0,
    "unsupported": 0,
    "missing": 0,
    "failed": 0,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batches")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Okapia]:
    """A client of a server whose callers may name the pictures of its home."""
    with serving(Settings(home=home, source_roots=(make_pictures(home),))) as url, Okapia(url) as okapia:
        yield okapia


def pictures(home: Path) -> Source:
    return Source(folder=str(home / "pictures"))


def shown(status: str, **fields: object) -> httpx.Response:
    body = {"id": "b1", "status": status, "progress": PROGRESS, **fields}
    return httpx.Response(200, json=body, headers={"Retry-After": "3"})


def test_a_folder_becomes_files(server: Okapia, home: Path, tmp_path: Path) -> None:
    run = server.batches.create(pictures(home), Options(threshold=0.5), name="night 7")
    ended = server.batches.wait(run.id, timeout_s=60)

    assert (ended.status, ended.name, ended.has_ended) == ("completed", "night 7", True)
    assert (ended.progress.images, ended.progress.done, ended.progress.unsupported) == (4, 3, 1)
    [file] = [file for file in server.batches.results(run.id) if file.format == "megadetector"]
    server.batches.download(file, tmp_path / "results.json")
    assert len(json.loads((tmp_path / "results.json").read_text())["images"]) == file.images == 4
    assert file.name in {made.name for made in ended.files}
    assert server.batches.verify(run.id).is_right


def test_failures_are_named(server: Okapia, home: Path) -> None:
    source = Source(
        folder=str(home / "pictures"), images=[("site 1/broken.jpg", "camera 2"), ("gone.jpg", "camera 3")]
    )
    run = server.batches.create(source)
    server.batches.wait(run.id, timeout_s=60)

    failures = list(server.batches.failures(run.id))

    assert [(one.file, one.verdict, one.meta) for one in failures] == [
        ("site 1/broken.jpg", "unsupported", "camera 2"),
        ("gone.jpg", "missing", "camera 3"),
    ]


def test_a_batch_made_twice_under_one_key_is_one(server: Okapia, home: Path) -> None:
    first, second = (server.batches.create(pictures(home), idempotency_key="night 7") for _ in range(2))

    listed = [run.id for run in server.batches.all()]

    assert first.id == second.id
    assert listed.count(first.id) == 1


def test_what_is_not_there_is_said(server: Okapia) -> None:
    with pytest.raises(NotFound):
        server.batches.get("0" * 32)
    with pytest.raises(NotFound):
        list(server.batches.failures("0" * 32))


def test_a_batch_that_has_ended_cannot_be_halted(server: Okapia, home: Path) -> None:
    run = server.batches.create(pictures(home))
    server.batches.wait(run.id, timeout_s=60)

    with pytest.raises(Conflict):
        server.batches.pause(run.id)


def test_everything_that_is_asked_is_sent_and_nothing_else() -> None:
    faults = Faults(shown("listing"))
    source = Source(address="az://photos/night", secret=CANARY, suffixes=[".jpg"], sample_n=5)
    options = Options(threshold=0.3, country="SWE", smooth_herd=True, tiles=2, detector="a+b", metadata=True)

    faults.client().batches.create(
        source, options, outputs=Outputs(formats=["csv"], split="folder"), priority=9, no_cache=True
    )

    [request] = faults.requests
    assert json.loads(request.content) == {
        "source": {
            "address": "az://photos/night",
            "secret": CANARY,
            "suffixes": [".jpg"],
            "sample_n": 5,
        },
        "options": {"threshold": 0.3, "country": "SWE", "smooth": "herd", "tiles": 2},
        "outputs": {"formats": ["csv"], "split": "folder"},
        "detector": "a+b",
        "priority": 9,
        "no_cache": True,
    }
    assert CANARY not in repr(source)


def test_a_batch_goes_on_with_another_secret() -> None:
    faults = Faults(shown("needs_credentials", message="refused"), shown("running"))
    batches = faults.client().batches

    [halted] = batches.watch("b1")
    resumed = batches.resume("b1", secret=CANARY)

    assert (halted.is_halted, halted.message, resumed.status) == (True, "refused", "running")
    assert json.loads(faults.requests[1].content) == {"secret": CANARY}


def test_watching_asks_as_often_as_the_server_likes() -> None:
    clock = ManualClock()
    answers = [shown(status) for status in ("listing", "running", "merging", "completed")]

    seen = [run.status for run in Faults(*answers).client(clock).batches.watch("b1")]

    assert seen == ["listing", "running", "merging", "completed"]
    assert clock.slept == [3, 3, 3]


def test_waiting_ends_in_time() -> None:
    clock = ManualClock()

    with pytest.raises(WaitedTooLong, match="running after 5 s"):
        Faults(*[shown("running")] * 9).client(clock).batches.wait("b1", timeout_s=5)

    assert clock.now_s == 6


def test_a_file_is_fetched_without_the_key_and_whole_or_not_at_all(tmp_path: Path) -> None:
    url = f"https://storage.example.org/results.json?signature={CANARY}"
    file = {
        "name": "results.json",
        "format": "megadetector",
        "bytes": 2,
        "sha256": "0",
        "images": 0,
        "url": url,
    }
    faults = Faults(
        httpx.Response(200, json={"files": [file]}),
        httpx.Response(200, content=broken()),
        httpx.Response(200, content=b"{}"),
    )
    okapia = faults.client(api_key="ok_live_key")

    [made] = okapia.batches.results("b1")
    okapia.batches.download(made, tmp_path / "results.json")

    assert CANARY not in repr(made)
    assert "Authorization" not in faults.requests[-1].headers
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("results.json", b"{}")]


def test_failures_that_break_off_are_an_error() -> None:
    line = b'{"file": "a", "verdict": "missing", "code": "missing", "message": "gone", "meta": null}\n'
    failures = Faults(httpx.Response(200, content=broken(line))).client().batches.failures("b1")

    assert next(failures).file == "a"
    with pytest.raises(NoAnswer, match="cut off"):
        next(failures)


def test_a_file_without_its_url_cannot_be_fetched(server: Okapia, home: Path, tmp_path: Path) -> None:
    run: BatchRun = server.batches.create(pictures(home))
    ended = server.batches.wait(run.id, timeout_s=60)

    with pytest.raises(ValueError, match="as `results` gives it"):
        server.batches.download(ended.files[0], tmp_path / "results.json")


def broken(first: bytes = b"{") -> Iterator[bytes]:
    """Give a body that is cut off."""
    yield first
    raise httpx.ReadError("cut off")
