"""Actors of a real Ray cluster work shards off, and are made anew when they are lost."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.batches.ray_pool import LOCAL, ActorShare, ClusterUnusable, Seat, joined
from okapia.batches.shard import Interrupted
from okapia.domain.types import Failure
from okapia.domain.versions import Versions, VersionsDiffer
from tests.unit.batches.sites import MODEL, MODEL_SHA256, Broken, Echo, Errand

pytest.importorskip("ray", reason="needs Ray; pip install 'okapia[ray]'")

HALF = ActorShare(cpus=0.5)
SOON_S = 60.0

JOINING = """
import sys
import ray
ray.__version__ = "0.0.1"
from okapia.batches.ray_pool import ActorShare, joined
from okapia.domain.versions import VersionsDiffer
try:
    with joined(sys.argv[1], ActorShare(), actors=1):
        pass
except VersionsDiffer as error:
    print(error)
"""


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with joined(LOCAL, HALF, actors=2):
        yield


@pytest.fixture
def seat() -> Iterator[Seat[Errand]]:
    seat = Seat(Echo, read=read, share=HALF)
    assert seat.is_ready(timeout_s=SOON_S)
    yield seat
    seat.close()


def read(sha256: str) -> bytes:
    assert sha256 == MODEL_SHA256
    return MODEL


def pid_of(seat: Seat[Errand]) -> int:
    return int(seat.work_off(Errand("who")).data.split()[-1])


def test_an_actor_is_another_process_that_stays_and_gets_its_model_once(seat: Seat[Errand]) -> None:
    first, second = (seat.work_off(Errand(text)).data.split() for text in ("fox", "okapi"))

    assert (first[0], second[0]) == (b"fox", b"okapi")
    assert first[1:3] == [b"a", b"network"]
    assert first[-1] == second[-1] != str(os.getpid()).encode()


def test_seats_have_actors_of_their_own(seat: Seat[Errand]) -> None:
    beside = Seat(Echo, read=read, share=HALF)
    assert beside.is_ready(timeout_s=SOON_S)

    assert pid_of(beside) != pid_of(seat)

    beside.close()


def test_a_killed_actor_interrupts_its_shard_and_another_takes_its_seat(
    seat: Seat[Errand], tmp_path: Path
) -> None:
    before = pid_of(seat)
    errand = Errand("fox", dies_unless=tmp_path / "died")

    with pytest.raises(Interrupted, match="actor_lost"):
        seat.work_off(errand)

    assert seat.is_ready(timeout_s=SOON_S)
    assert seat.work_off(errand).data.startswith(b"fox")
    assert pid_of(seat) != before


def test_what_interrupts_the_work_comes_through(seat: Seat[Errand]) -> None:
    gone = Failure("source_gone", "expected the folder")

    with pytest.raises(Interrupted) as told:
        seat.work_off(Errand("fox", refuses=gone))

    assert told.value.failure == gone


def test_a_seat_without_room_in_the_cluster_is_not_ready() -> None:
    seat = Seat(Echo, read=read, share=ActorShare(cpus=1000))

    assert not seat.is_ready(timeout_s=0.1)

    seat.close()


def test_a_site_that_cannot_be_made_there_is_said() -> None:
    seat = Seat(Broken, read=read, share=HALF)

    with pytest.raises(ClusterUnusable, match="no disk here"):
        seat.is_ready(timeout_s=SOON_S)

    seat.close()


def test_actors_of_another_okapia_are_refused_and_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Versions.here().okapia
    monkeypatch.setattr("okapia.domain.versions.__version__", "0.0.1")
    seat = Seat(Echo, read=read, share=HALF)

    with pytest.raises(VersionsDiffer, match=rf"Okapia 0\.0\.1 on Python .*, got one with Okapia {there} on"):
        seat.is_ready(timeout_s=SOON_S)

    seat.close()


def test_a_cluster_of_another_ray_is_refused_and_both_are_named() -> None:
    import ray  # noqa: PLC0415 - an extra

    address = ray.get_runtime_context().gcs_address
    joining = [sys.executable, "-c", JOINING, address]
    told = subprocess.run(joining, capture_output=True, text=True, timeout=SOON_S, check=False)

    python = f"Python {platform.python_version()} with Ray"
    assert told.stdout.strip() == (
        f"expected {python} {ray.__version__}, as the cluster has, got {python} 0.0.1"
    )
