"""Batches on Ray: the same answers as without, and nothing lost with a machine."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from okapia.database.engine import Database
from okapia.models.card import PROFILES
from okapia.settings import load_settings
from tests.acceptance.batch_house import House, assert_exact, grey_pictures, open_house
from tests.acceptance.hosts import Host, two_hosts, why_not

pytest.importorskip("ray", reason="needs Ray; pip install 'okapia[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

PICTURES = 600
TOKEN = {"RAY_AUTH_MODE": "token"}
"""The first node makes one; without the word for it, the second is refused."""


def test_a_machine_of_the_cluster_that_is_lost_loses_no_picture(database: Database, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    pictures = grey_pictures(tmp_path / "pictures", PICTURES)
    with two_hosts() as (one, other), open_house(database, tmp_path, pictures) as house:
        batch_id = house.submit(pictures)
        with cluster(one, other, tmp_path), worker_on(one, house, tmp_path):
            house.wait(
                batch_id, lambda overview: has_begun(other, tmp_path) and overview.progress.shards_done > 20
            )
            other.pull_the_plug()
            unfinished = house.now(batch_id)
            assert_exact(house, batch_id, pictures=PICTURES)

    assert not unfinished.batch.state.is_final
    assert house.logged("actor_lost")


@pytest.mark.models
def test_threads_processes_and_actors_answer_alike_in_any_shards(
    database: Database, tmp_path: Path, lite: None, shared_data: Path
) -> None:
    del lite
    pictures, choice = shared_data / "camera-traps", PROFILES["lite"]
    ways = {256: (), 3: ("--processes", "2"), 5: ("--ray", "local", "--actors", "2")}
    with open_house(database, tmp_path, pictures) as house:
        (house.settings.home / "models").rename(tmp_path / "unused")
        (house.settings.home / "models").symlink_to(load_settings().models_dir)
        answers = []
        for shard_images, options in ways.items():
            batch_id = house.submit(pictures, choice=choice, shard_images=shard_images)
            with house.worker(*options, settings={"XDG_CACHE_HOME": str(tmp_path / "cache")}):
                house.ended(batch_id)
            answers.append(house.answers(batch_id))

    assert len(answers[0]) > 10
    assert answers[0] == answers[1] == answers[2]


@contextmanager
def cluster(one: Host, other: Host, folder: Path) -> Iterator[None]:
    """A Ray node on each host, with one CPU; each keeps models in a folder of its own."""
    program = str(Path(sys.executable).with_name("ray"))
    start = [program, "start", "--block", "--num-cpus", "1", "--node-ip-address"]
    address = f"{one.address}:6379"
    as_head = [*start, one.address, "--head", "--port", "6379", "--include-dashboard", "false"]
    as_member = [*start, other.address, "--address", address]
    with (folder / "ray.log").open("w") as log, ExitStack() as started:
        for number, (host, command) in enumerate(((one, as_head), (other, as_member)), 1):
            node = host.start(command, settings_on(host, folder), log=log.fileno())
            started.callback(node.wait)
            started.callback(host.pull_the_plug)
            wait_for_nodes(one, number)
        yield


def wait_for_nodes(one: Host, number: int) -> None:
    """Wait until so many machines belong to the cluster."""
    asking = f"""
import time, ray
while True:
    try:
        ray.init("{one.address}:6379", log_to_driver=False, configure_logging=False)
        break
    except ConnectionError:
        time.sleep(1)
while sum(node["Alive"] for node in ray.nodes()) < {number}:
    time.sleep(0.5)
"""
    assert one.start([sys.executable, "-c", asking], TOKEN).wait(90) == 0


def worker_on(host: Host, house: House, folder: Path) -> AbstractContextManager[Popen[str]]:
    options = ("--ray", f"{host.address}:6379", "--actors", "2")
    return house.worker(*options, begin_with=host.inside, settings=settings_on(host, folder))


def settings_on(host: Host, folder: Path) -> dict[str, str]:
    return {**TOKEN, "RAY_USAGE_STATS_ENABLED": "0", "XDG_CACHE_HOME": str(folder / host.name)}


def has_begun(host: Host, folder: Path) -> bool:
    """Say whether an actor there has its models."""
    return any((folder / host.name).glob("okapia/actors/kits/homes/*"))
