"""A site works shards off with nothing of its own: models, settings, secrets and roots are handed over."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from okapia.app import kit_rules
from okapia.batches.batch import Batch, Counts, State
from okapia.batches.items import Item, pack
from okapia.batches.ray_pool import ActorShare
from okapia.batches.shard import ShardResult
from okapia.cli.worker_ray import Orders, actor_settings
from okapia.cli.worker_site import Order, PictureSite
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.clock import utc_now
from okapia.domain.storage_errors import SecretDamaged
from okapia.domain.types import Failure
from okapia.formats.shard_file import decode
from okapia.models.card import builtin_cards
from okapia.models.weights.store import ModelStore
from okapia.service.batch_request import OUTPUT, SOURCE, BatchRequest, PlaceOfPictures
from okapia.service.batch_work import seal, secrets_of
from okapia.service.kits import Kits
from okapia.service.storages import Storages
from okapia.settings import Settings, load_settings
from okapia.storage.cloud_secret import AccessKey
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.secrets import Vault
from tests.acceptance.batch_house import ALONE, grey_pictures
from tests.unit.models.test_registry import silent_yolox

KEY = bytes(range(32))
NAMES = ["0000.jpg", "0001.jpg", "0002.jpg"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    ModelStore(home / "models").put(builtin_cards()["megadetector-lite"], silent_yolox())
    return load_settings(home=home, device="cpu", database="postgresql://ada:secret@db/okapia")


@pytest.fixture
def kits(settings: Settings, tmp_path: Path) -> Kits:
    return Kits(FolderBlobs(tmp_path / "blobs"), kit_rules(settings))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return grey_pictures(tmp_path / "pictures", len(NAMES))


def site(settings: Settings, folder: Path, *, roots: Sequence[Path] | None) -> PictureSite:
    theirs = actor_settings(settings, ActorShare())
    return PictureSite(theirs, roots=roots, key=KEY, home=folder / "actor")


def order(kits: Kits, address: str) -> Order:
    batch = Batch(
        id=uuid4().hex,
        user_id=LOCAL_USER_ID,
        state=State.RUNNING,
        created_at=utc_now(),
        request=BatchRequest(place=PlaceOfPictures(address=address), choice=ALONE).as_row(),
    )
    return Order(batch, pack([Item(name) for name in NAMES]), kits.make(ALONE))


def worked_off(site: PictureSite, order: Order, kits: Kits) -> ShardResult | Failure:
    """Do what a driver does."""
    for sha256 in site.lacks(order):
        site.keep(sha256, kits.read(sha256))
    return site.work_off(order)


def test_a_site_answers_with_the_models_of_its_order(
    settings: Settings, kits: Kits, pictures: Path, tmp_path: Path
) -> None:
    one = order(kits, str(pictures))

    result = worked_off(site(settings, tmp_path, roots=[pictures]), one, kits)

    assert isinstance(result, ShardResult)
    assert result.counts == Counts(done=3)
    assert [row.result.name for row in decode(result.data)] == NAMES


def test_a_machine_without_the_folder_blames_no_picture(
    settings: Settings, kits: Kits, tmp_path: Path
) -> None:
    gone = tmp_path / "not mounted here"

    for roots in ([gone], None):
        result = worked_off(site(settings, tmp_path, roots=roots), order(kits, str(gone)), kits)

        assert isinstance(result, Failure)
        assert result.code == "source_gone"


def test_a_storage_that_was_not_handed_over_is_said(settings: Settings, kits: Kits, tmp_path: Path) -> None:
    result = worked_off(site(settings, tmp_path, roots=[]), order(kits, "storage:survey"), kits)

    assert isinstance(result, Failure)
    assert "'survey'" in result.message


def test_a_site_is_handed_no_secrets_of_the_settings(settings: Settings) -> None:
    assert "secret" not in repr(actor_settings(settings, ActorShare()))


def test_actors_with_gpus_take_them_and_the_others_the_cpu(settings: Settings) -> None:
    with_gpu = actor_settings(settings, ActorShare(cpus=4, gpus=1))
    without = actor_settings(settings, ActorShare(cpus=0.5))

    assert (with_gpu.device, with_gpu.engine, with_gpu.cores) == ("cuda", "onnxruntime", 4)
    assert (without.device, without.cores) == ("cpu", 1)


def test_an_order_holds_what_opens_the_pictures_and_no_more(database: Database, kits: Kits) -> None:
    vault = Vault(bytes(32))
    storages = Storages(database, vault)
    storages.add("survey", "s3://bucket/survey?endpoint=https://minio.example", "id:word")
    storages.add("other", "s3://other", "id:another")
    secrets = {SOURCE: "a SAS", OUTPUT: "another"}
    plain = order(kits, "storage:survey/night").batch
    batch = replace(plain, sealed_secret=seal(secrets, vault, batch_id=plain.id))
    orders = Orders(lambda _: kits.make(ALONE), vault=vault, storages=storages)

    made = orders.of(batch, b"items")

    assert secrets_of(made.batch, Vault(orders.key)) == {SOURCE: "a SAS"}
    assert {name: secret for name, (_, secret) in made.named.items()} == {"survey": AccessKey("id", "word")}
    assert made.endpoints == {"https://minio.example"}
    with pytest.raises(SecretDamaged):
        secrets_of(made.batch, vault)
