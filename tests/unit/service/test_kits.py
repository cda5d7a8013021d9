"""Models travel by their hash: what a worker has in the end is what the submitter had, or nothing."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelDamaged, ModelNotInstalled
from okapia.domain.models import ModelChoice
from okapia.domain.storage_errors import BlobMissing
from okapia.models.card import ModelCard, builtin_cards
from okapia.models.catalog import Catalog
from okapia.models.weights.parcels import Parcel, unpack
from okapia.models.weights.store import ModelStore
from okapia.service.kit_shelf import KitShelf
from okapia.service.kits import Kit, KitRules, Kits, Manner
from okapia.storage.folder_blobs import FolderBlobs

LITE = builtin_cards()["megadetector-lite"]
OKAPI, BONGO = b"okapi network", b"bongo network"
CHOICE = ModelChoice("megadetector-lite", "own")


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """The submitter's: a network of a package, and an own one with files beside it and behind its card."""
    store = ModelStore(tmp_path / "models")
    store.put(LITE, OKAPI)
    elsewhere = tmp_path / "classifier"
    (elsewhere / "weights").mkdir(parents=True)
    (elsewhere / "network.xml").write_bytes(b"a network")
    (elsewhere / "weights" / "network.bin").write_bytes(b"its tensors")
    store.link(
        own_card(tmp_path),
        elsewhere / "network.xml",
        companions=[elsewhere / "weights" / "network.bin"],
        source="a person",
    )
    return store


def own_card(folder: Path) -> ModelCard:
    """A card that names two files of this machine."""
    files = {"taxonomy": "taxa.txt", "geofence": "ranges.json"}
    for name in files.values():
        (folder / name).write_text(f"the text of {name}")
    named = {field: str(folder / name) for field, name in files.items()}
    return builtin_cards()["efficientnet-lite0"].model_copy(update={"id": "own", "source": None, **named})


def kits(store: ModelStore, blobs: FolderBlobs, *, ranges: dict[str, Path] | None = None) -> Kits:
    manner = Manner(canvases={"megadetector-lite": 640})
    return Kits(blobs, KitRules(Catalog(store), manner, ranges or {}, shares_files=True))


def taken(kit: Kit, reader: Kits, shelf: KitShelf) -> Path:
    """What a worker does."""
    for sha256 in shelf.lacks(kit):
        shelf.keep(sha256, reader.read(sha256))
    return shelf.home(kit).path


def test_what_a_worker_takes_is_what_the_submitter_has(
    store: ModelStore, blobs: FolderBlobs, tmp_path: Path
) -> None:
    kits(store, blobs).put("batch", CHOICE)
    elsewhere = kits(ModelStore(tmp_path / "nothing here"), blobs)

    kit = elsewhere.get("batch")
    home = taken(kit, elsewhere, KitShelf(tmp_path / "shelf"))

    there = ModelStore(home / "models")
    assert there.verify("megadetector-lite").path.read_bytes() == OKAPI
    own = there.verify("own").path
    assert own.read_bytes() == b"a network"
    assert (own.parent / "weights" / "network.bin").read_bytes() == b"its tensors"
    card = there.card("own")
    assert card is not None
    assert Path(card.taxonomy).read_text() == "the text of taxa.txt"
    assert Path(card.geofence).read_text() == "the text of ranges.json"
    assert kits(there, blobs).make(CHOICE) == kit
    assert kit.manner.canvases == {"megadetector-lite": 640}


def test_the_operators_ranges_come_along_under_their_suffix(
    store: ModelStore, blobs: FolderBlobs, tmp_path: Path
) -> None:
    rules = tmp_path / "our rules.csv"
    rules.write_text("taxon,country\n")
    here = kits(store, blobs, ranges={"geofence": rules})
    kit = here.make(CHOICE)
    shelf = KitShelf(tmp_path / "shelf")

    taken(kit, here, shelf)

    ranges = shelf.home(kit).ranges
    assert ranges["geofence"].suffix == ".csv"
    assert ranges["geofence"].read_text() == "taxon,country\n"


def test_files_are_put_once_and_a_changed_model_is_another_kit(store: ModelStore, blobs: FolderBlobs) -> None:
    here = kits(store, blobs)
    here.put("first", CHOICE)
    before = {*blobs.keys("models")}

    here.put("second", CHOICE)
    store.put(LITE, BONGO)
    here.put("third", CHOICE)

    assert here.get("first") == here.get("second")
    assert here.get("first").sha256 != here.get("third").sha256
    assert len({*blobs.keys("models")} - before) == 1


def test_two_kits_that_share_files_need_them_once(
    store: ModelStore, blobs: FolderBlobs, tmp_path: Path
) -> None:
    here, shelf = kits(store, blobs), KitShelf(tmp_path / "shelf")
    taken(here.make(CHOICE), here, shelf)

    alone = here.make(ModelChoice("megadetector-lite", None))

    assert shelf.lacks(alone) == []
    assert (shelf.home(alone).path / "models" / "megadetector-lite").is_dir()


def test_a_file_that_is_not_what_its_hash_says_is_refused(
    store: ModelStore, blobs: FolderBlobs, tmp_path: Path
) -> None:
    kits(store, blobs).put("batch", CHOICE)
    elsewhere = kits(ModelStore(tmp_path / "nothing here"), blobs)
    sha256 = elsewhere.get("batch").models[0].files["network.onnx"]
    blobs.put(f"models/{sha256}", [BONGO], max_bytes=100)

    with pytest.raises(ModelDamaged, match=rf"expected sha256 {sha256}, got (?!{sha256})\w{{64}}"):
        elsewhere.read(sha256)
    with pytest.raises(ModelDamaged, match=sha256):
        KitShelf(tmp_path / "shelf").keep(sha256, BONGO)


def test_a_model_that_nobody_has_any_more_is_said(store: ModelStore, tmp_path: Path) -> None:
    empty = FolderBlobs(tmp_path / "empty")

    with pytest.raises(ModelDamaged, match=r"0{64}: neither here nor in the blob store"):
        kits(store, empty).read("0" * 64)
    with pytest.raises(BlobMissing):
        kits(store, empty).get("batch")
    with pytest.raises(ModelNotInstalled, match="okapia models pull"):
        kits(store, empty).make(ModelChoice("nanodet-coco", None))


def test_a_kit_that_is_none_is_damage(store: ModelStore, blobs: FolderBlobs) -> None:
    blobs.put("batches/batch/kit.json", [b'{"versions": 1}'], max_bytes=100)

    with pytest.raises(ModelDamaged, match="not readable"):
        kits(store, blobs).get("batch")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside"])
def test_no_file_of_a_parcel_leaves_the_models_folder(tmp_path: Path, name: str) -> None:
    parcel = Parcel(LITE, name, {name: "0" * 64})

    with pytest.raises(ModelDamaged, match="below the model's folder"):
        unpack(parcel, lambda _: tmp_path / "file", ModelStore(tmp_path / "models"), lies_at=tmp_path)
