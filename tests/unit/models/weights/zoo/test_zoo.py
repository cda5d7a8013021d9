"""A name of the zoo becomes an installed model, whole and checked, or nothing."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from okapia.domain.errors import LicenceNotAccepted, ModelDamaged, ModelError, ModelNotInstalled, PullFailed
from okapia.domain.models import ModelChoice
from okapia.models.card import ModelCard
from okapia.models.weights.pull import PullEvent
from okapia.models.weights.zoo.source import ZooFolder
from okapia.models.weights.zoo.zoo import Zoo
from tests.unit.models.weights.zoo.conftest import Visitor
from tests.unit.models.weights.zoo.folders import (
    BRIGHT_BOX,
    CLASSIFIER,
    COPYLEFT,
    DETECTOR,
    classifier,
    detector,
    pipeline,
    write_folder,
    zip_name,
    zipped,
)
from tests.unit.models.weights.zoo.record_server import RECORD, Host

ARCHIVE = zip_name(DETECTOR)


def test_a_model_is_pulled_with_its_card_and_nothing_else_stays(visitor: Visitor, host: Host) -> None:
    added = visitor.zoo(visitor.server(host)).pull(f"zoo:{DETECTOR}", accept_licence=False)

    (installed,) = added.models
    card = visitor.store.card(DETECTOR)
    assert card is not None
    assert (card.family, card.licence, installed.licence) == ("yolo_e2e", "MIT", "MIT")
    assert installed == visitor.store.verify(DETECTOR)
    assert installed.path.read_bytes() == BRIGHT_BOX
    assert installed.source == f"zoo {RECORD}"
    names = ("card.json", "installed.json", "labels.txt", "manifest.toml", "model.onnx")
    assert visitor.files() == [f"models/{DETECTOR}/{name}" for name in names]
    assert visitor.checked == [DETECTOR]


def test_a_pull_says_how_many_bytes_have_arrived(visitor: Visitor, host: Host) -> None:
    visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)

    size = len(host.files[ARCHIVE])
    assert visitor.events[-2:] == [
        PullEvent("fetching", (DETECTOR,), size, size),
        PullEvent("installed", (DETECTOR,)),
    ]


def test_what_is_installed_and_whole_is_not_fetched_again(visitor: Visitor, host: Host) -> None:
    zoo = visitor.zoo(visitor.server(host))
    zoo.pull(DETECTOR, accept_licence=False)
    host.asked.clear()

    zoo.pull(DETECTOR, accept_licence=False)

    assert host.asked == []
    assert visitor.events[-1] == PullEvent("present", (DETECTOR,))


def test_a_damaged_model_is_fetched_again(visitor: Visitor, host: Host) -> None:
    zoo = visitor.zoo(visitor.server(host))
    zoo.pull(DETECTOR, accept_licence=False).models[0].path.write_bytes(b"gnawed")

    zoo.pull(DETECTOR, accept_licence=False)

    assert visitor.store.verify(DETECTOR).path.read_bytes() == BRIGHT_BOX


def test_a_copyleft_model_asks_to_be_accepted_before_any_network_is_asked(
    visitor: Visitor, host: Host
) -> None:
    zoo = visitor.zoo(visitor.server(host))

    with pytest.raises(
        LicenceNotAccepted,
        match=r"MDV5a comes under AGPL-3\.0.*okapia models pull zoo:MDV5a --accept-licence",
    ):
        zoo.pull("Species_Net_MDV5a", accept_licence=False)

    assert host.asked == []
    assert visitor.files() == []


def test_an_accepted_licence_is_kept_with_the_model(visitor: Visitor, host: Host) -> None:
    host.files[zip_name(COPYLEFT)] = zipped(COPYLEFT, detector(COPYLEFT) | {"LICENSE": b"AGPL"})

    added = visitor.zoo(visitor.server(host)).pull("Species_Net_MDV5a", accept_licence=True)

    assert added.models[0].licence == "AGPL-3.0"
    assert added.models[0].path.with_name("LICENSE").read_bytes() == b"AGPL"


def test_a_model_that_no_table_names_is_found_by_its_archive_and_its_licence_is_unknown(
    visitor: Visitor, host: Host
) -> None:
    host.files[zip_name("yeti-finder")] = zipped("yeti-finder", detector("yeti-finder"))
    zoo = visitor.zoo(visitor.server(host))

    with pytest.raises(LicenceNotAccepted, match="yeti-finder comes under unknown licence"):
        zoo.pull("zoo:yeti-finder", accept_licence=False)
    added = zoo.pull("zoo:yeti-finder", accept_licence=True)

    assert added.models[0].licence == "unknown licence"


def test_a_name_that_the_record_lacks_is_said_with_those_near_it(visitor: Visitor, host: Host) -> None:
    with pytest.raises(PullFailed, match=f"no archive .*MDV6-mit-yolov9-b.*{DETECTOR}"):
        visitor.zoo(visitor.server(host)).pull("MDV6-mit-yolov9-b", accept_licence=True)


@pytest.mark.parametrize("name", ["field", "nanodet-coco", "zoo:lite"])
def test_the_names_of_built_in_models_and_profiles_are_taken(visitor: Visitor, host: Host, name: str) -> None:
    with pytest.raises(ModelError, match="ships with Okapia"):
        visitor.zoo(visitor.server(host)).pull(name, accept_licence=True)


# --- what is not as it should be ------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"model.onnx": BRIGHT_BOX[:-1] + b"!"}, r"model\.onnx: expected sha256 \w{64}, got \w{64}"),
        (
            {"model.onnx": BRIGHT_BOX + b"!"},
            rf"expected {len(BRIGHT_BOX):,} bytes, got {len(BRIGHT_BOX) + 1:,}",
        ),
    ],
)
def test_a_network_that_is_not_the_manifests_is_damaged_and_leaves_nothing(
    visitor: Visitor, host: Host, broken: dict[str, bytes], sentence: str
) -> None:
    host.files[ARCHIVE] = zipped(DETECTOR, detector() | broken)

    with pytest.raises(ModelDamaged, match=sentence):
        visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)

    assert visitor.files() == []


def test_a_network_that_does_not_run_is_not_installed(visitor: Visitor, host: Host) -> None:
    def refuse(card: ModelCard, network: Path) -> None:
        raise ModelError(f"{card.id}: {network.name} has an unknown operator")

    zoo = Zoo(visitor.store, source=visitor.server(host), check=refuse, on_event=visitor.events.append)

    with pytest.raises(ModelError, match="unknown operator"):
        zoo.pull(DETECTOR, accept_licence=False)

    assert visitor.files() == []


def test_a_folder_of_another_name_than_the_archives_is_refused(visitor: Visitor, host: Host) -> None:
    host.files[ARCHIVE] = zipped("MDV5b", detector("MDV5b"))

    with pytest.raises(ModelError, match=f"expected the folder {DETECTOR}, got MDV5b"):
        visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)


def test_an_older_model_stays_where_its_new_archive_is_refused(visitor: Visitor, host: Host) -> None:
    zoo = visitor.zoo(visitor.server(host))
    zoo.pull(DETECTOR, accept_licence=False)
    zoo.pull(CLASSIFIER, accept_licence=False)
    visitor.store.remove(DETECTOR)
    host.files[ARCHIVE] = zipped(DETECTOR, {"../outside.txt": b"hello"})
    host.files.pop(zip_name(CLASSIFIER, "classifier"))

    with pytest.raises(PullFailed, match="not a path inside the folder"):
        visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)

    assert visitor.store.ids() == [CLASSIFIER]
    assert visitor.store.verify(CLASSIFIER).model_id == CLASSIFIER


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_pull_leaves_its_part_and_the_next_one_goes_on_with_it(visitor: Visitor, host: Host) -> None:
    padding = os.urandom(4_000_000)
    host.files[ARCHIVE] = zipped(DETECTOR, detector() | {"README.md": padding})
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from okapia.models.weights.store import ModelStore\n"
        "from okapia.models.weights.zoo.server import ZooServer\n"
        "from okapia.models.weights.zoo.zoo import Zoo\n"
        "home, url, record, name = sys.argv[1:]\n"
        "source = ZooServer(Path(home, 'archives'), base_url=url, record=record)\n"
        "slow = lambda event: time.sleep(60 if event.bytes_done > 1_000_000 else 0)\n"
        "zoo = Zoo(ModelStore(Path(home, 'models')), source=source, check=print, on_event=slow)\n"
        "zoo.pull(name, accept_licence=False)\n"
    )
    part = visitor.archives / f"{ARCHIVE}.part"
    process = subprocess.Popen([sys.executable, "-c", script, visitor.home, host.url, RECORD, DETECTOR])
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size >= 1_000_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert visitor.files() == [f"archives/{ARCHIVE}.part"]
    arrived = part.stat().st_size
    visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)

    assert host.ranges_asked == [None, f"bytes={arrived}-"]
    assert visitor.store.verify(DETECTOR).path.with_name("README.md").read_bytes() == padding


def test_a_disk_that_fills_while_a_model_is_installed_leaves_the_archive_for_the_next_time(
    visitor: Visitor, host: Host
) -> None:
    def fill(card: ModelCard, network: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(network.with_name(card.id)))

    zoo = Zoo(visitor.store, source=visitor.server(host), check=fill, on_event=visitor.events.append)
    with pytest.raises(PullFailed, match=r"cannot read or write .*: No space left on device"):
        zoo.pull(DETECTOR, accept_licence=False)

    assert visitor.files() == [f"archives/{ARCHIVE}"]
    visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)
    assert host.ranges_asked == [None]


def test_only_the_network_that_runs_is_kept_with_what_it_needs(visitor: Visitor, host: Host) -> None:
    files = detector()
    text = files["manifest.toml"].replace(b'"single"', b'"single"\nprecision = "fp16"')
    text = text.replace(b'file = "model.onnx"', b'file = "model.onnx"\nfile_fp16 = "half/model_fp16.onnx"')
    half = {"half/model_fp16.onnx": BRIGHT_BOX, "half/model_fp16.onnx.data": b"tensors"}
    host.files[ARCHIVE] = zipped(DETECTOR, files | half | {"manifest.toml": text, "pipeline.json": b"{}"})

    visitor.zoo(visitor.server(host)).pull(DETECTOR, accept_licence=False)

    installed = visitor.store.verify(DETECTOR)
    assert installed.path.name == "model_fp16.onnx"
    assert set(installed.companions) == {"labels.txt", "manifest.toml", "model_fp16.onnx.data"}
    own = ("card.json", "installed.json", "labels.txt", "manifest.toml")
    kept = sorted((*own, "model_fp16.onnx", "model_fp16.onnx.data"))
    assert visitor.files() == [f"models/{DETECTOR}/{name}" for name in kept]


# --- pipelines ------------------------------------------------------------------------


def test_a_pipeline_brings_its_members_and_is_remembered(visitor: Visitor, host: Host) -> None:
    host.files[zip_name("watch-all", "pipeline")] = zipped("watch-all", pipeline("watch-all"))

    added = visitor.zoo(visitor.server(host)).pull("zoo:watch-all", accept_licence=True)

    assert added.pipeline == "watch-all"
    assert [installed.model_id for installed in added.models] == [DETECTOR, CLASSIFIER]
    assert visitor.store.pipelines() == {"watch-all": ModelChoice(DETECTOR, CLASSIFIER)}


def test_a_pulled_pipeline_is_whole_without_a_network(visitor: Visitor, host: Host) -> None:
    host.files[zip_name("watch-all", "pipeline")] = zipped("watch-all", pipeline("watch-all"))
    zoo = visitor.zoo(visitor.server(host))
    zoo.pull("watch-all", accept_licence=True)
    host.asked.clear()

    added = zoo.pull("watch-all", accept_licence=False)

    assert [installed.model_id for installed in added.models] == [DETECTOR, CLASSIFIER]
    assert host.asked == []


def test_a_pipelines_members_go_by_their_ids_where_it_says_an_alias(visitor: Visitor, host: Host) -> None:
    host.files[zip_name(COPYLEFT)] = zipped(COPYLEFT, detector(COPYLEFT))
    steps = pipeline("classic", detector="Species_Net_MDV5a")
    host.files[zip_name("classic", "pipeline")] = zipped("classic", steps)

    visitor.zoo(visitor.server(host)).pull("classic", accept_licence=True)

    assert visitor.store.pipelines() == {"classic": ModelChoice(COPYLEFT, CLASSIFIER)}


def test_a_pipeline_that_names_itself_is_refused(visitor: Visitor, host: Host) -> None:
    steps = pipeline("mirror", detector="mirror")
    host.files[zip_name("mirror", "pipeline")] = zipped("mirror", steps)

    with pytest.raises(ModelError, match=r"manifest\.toml cannot be read"):
        visitor.zoo(visitor.server(host)).pull("mirror", accept_licence=True)

    assert visitor.store.pipelines() == {}


# --- folders of archives, folders of models -------------------------------------------


def test_an_archive_from_a_folder_needs_no_network_and_stays_there(visitor: Visitor, tmp_path: Path) -> None:
    carried = write_folder(tmp_path, "stick", {ARCHIVE: zipped(DETECTOR, detector())})

    added = visitor.zoo(ZooFolder(carried)).pull(DETECTOR, accept_licence=False)

    assert added.models[0].source == str(carried / ARCHIVE)
    assert (carried / ARCHIVE).is_file()
    assert visitor.store.verify(DETECTOR).path.read_bytes() == BRIGHT_BOX


def test_a_network_altered_on_the_way_is_noticed_without_a_record(visitor: Visitor, tmp_path: Path) -> None:
    altered = zipped(DETECTOR, detector() | {"model.onnx": BRIGHT_BOX[:-1] + b"!"})
    carried = write_folder(tmp_path, "stick", {ARCHIVE: altered})

    with pytest.raises(ModelDamaged, match="expected sha256"):
        visitor.zoo(ZooFolder(carried)).pull(DETECTOR, accept_licence=False)


@pytest.mark.parametrize("folder", ["stick", "nowhere"])
def test_a_folder_without_the_archive_says_what_it_looked_for(
    visitor: Visitor, tmp_path: Path, folder: str
) -> None:
    write_folder(tmp_path, "stick", {"holiday.zip": b"palms"})

    with pytest.raises(PullFailed, match=f"{folder}.*({DETECTOR}|is not a folder)"):
        visitor.zoo(ZooFolder(tmp_path / folder)).pull(DETECTOR, accept_licence=False)


def test_a_folder_in_the_zoos_layout_is_read_where_it_is(visitor: Visitor, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, DETECTOR, detector())

    added = visitor.zoo(ZooFolder(tmp_path)).add_folder(folder, accept_licence=False)

    assert added.models[0].path == folder / "model.onnx"
    assert visitor.files() == [f"models/{DETECTOR}/card.json", f"models/{DETECTOR}/installed.json"]
    assert visitor.checked == [DETECTOR]


def test_a_folder_of_a_copyleft_model_asks_to_be_accepted(visitor: Visitor, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, COPYLEFT, detector(COPYLEFT))
    zoo = visitor.zoo(ZooFolder(tmp_path))

    with pytest.raises(LicenceNotAccepted, match=r"okapia models add .*MDV5a --accept-licence"):
        zoo.add_folder(folder, accept_licence=False)

    assert visitor.store.ids() == []


def test_a_folder_may_be_added_again_but_not_a_second_model_of_its_id(
    visitor: Visitor, tmp_path: Path
) -> None:
    zoo = visitor.zoo(ZooFolder(tmp_path))
    folder = write_folder(tmp_path / "a", DETECTOR, detector())
    other = write_folder(tmp_path / "b", DETECTOR, detector())
    zoo.add_folder(folder, accept_licence=False)
    zoo.add_folder(folder, accept_licence=False)

    with pytest.raises(ModelError, match=f"installed already.*okapia models remove {DETECTOR}"):
        zoo.add_folder(other, accept_licence=False)


def test_a_pipeline_folder_takes_its_members_from_beside_it(visitor: Visitor, tmp_path: Path) -> None:
    write_folder(tmp_path, DETECTOR, detector())
    write_folder(tmp_path, CLASSIFIER, classifier())
    folder = write_folder(tmp_path, "watch-all", pipeline("watch-all"))

    added = visitor.zoo(ZooFolder(tmp_path)).add_folder(folder, accept_licence=False)

    assert added.pipeline == "watch-all"
    assert visitor.store.ids() == [DETECTOR, CLASSIFIER]
    assert visitor.store.pipelines() == {"watch-all": ModelChoice(DETECTOR, CLASSIFIER)}


def test_a_pipeline_folder_without_a_member_installs_nothing(visitor: Visitor, tmp_path: Path) -> None:
    write_folder(tmp_path, DETECTOR, detector())
    folder = write_folder(tmp_path, "watch-all", pipeline("watch-all"))

    with pytest.raises(ModelNotInstalled, match=f"okapia models pull zoo:{CLASSIFIER}"):
        visitor.zoo(ZooFolder(tmp_path)).add_folder(folder, accept_licence=False)

    assert visitor.store.ids() == []
