"""One survey in a folder, a container by its SAS and a bucket: the same answers, whatever the shards."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import obstore
import pytest
from obstore.store import S3Store

from okapia.app import build_service, desk_options
from okapia.batches.batch import SHARD_IMAGES, State
from okapia.domain.types import AnalysisOptions, ImageResult
from okapia.service import NamedImage, Service
from okapia.service.batch_request import BatchRequest, PlaceOfPictures, Secrets
from okapia.service.batches import NewBatch
from okapia.service.desk import Desk
from okapia.settings import load_settings
from tests.contract.blob_servers import BUCKET, Place, azure, s3, with_sas

pytestmark = pytest.mark.models


@dataclass(frozen=True, slots=True)
class House:
    """Somebody's desk, with the real models, and a folder of pictures."""

    service: Service
    desk: Desk
    folder: Path

    def results(
        self, address: str, *, secrets: Secrets | None = None, shard_images: int = SHARD_IMAGES
    ) -> list[ImageResult]:
        """Work a batch off, and give its answers in the order of the listing."""
        caller = self.desk.callers.local()
        request = BatchRequest(
            place=PlaceOfPictures(address=address),
            choice=self.service.models.choice(),
            options=OPTIONS,
            uses_cache=False,
        )
        new = NewBatch(request=request, secrets=secrets or {})
        batch = self.desk.batches.create(caller, new)
        worker = self.desk.batch_desk.worker(shard_images=shard_images)
        while worker.run_next():
            pass
        ended = self.desk.batches.get(caller, batch.id)
        assert ended.batch.state is State.COMPLETED, ended.batch.message
        assert self.desk.batches.verify(caller, batch.id).problems == ()
        return [_timeless(row.result) for row in self.desk.batches.rows(caller, batch.id)]


OPTIONS = AnalysisOptions(threshold=0.1)


@pytest.fixture
def house(lite: None, samples: Path, tmp_path: Path) -> Iterator[House]:
    del lite
    folder = tmp_path / "survey" / "camera 7"
    folder.mkdir(parents=True)
    for picture in sorted(samples.glob("*.png")):
        (folder / picture.name).write_bytes(picture.read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "ü #1.jpg").write_bytes((samples / "cat.png").read_bytes())
    settings = load_settings()
    service = build_service(settings)
    with ExitStack() as open_now:
        open_now.callback(service.close)
        options = replace(desk_options(settings), home=tmp_path / "home", roots=None)
        desk = Desk(service, options)
        open_now.callback(desk.close)
        open_now.callback(desk.stop_working)
        yield House(service, desk, folder.parent)


@pytest.fixture
def azure_place() -> Iterator[Place]:
    with azure() as place:
        yield place


@pytest.fixture
def s3_place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "s3").mkdir()
    with s3(tmp_path / "s3") as place:
        yield place


def _timeless(result: ImageResult) -> ImageResult:
    return replace(result, seconds=0.0)


def _files(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_batch_says_what_single_calls_say_whatever_its_shards(house: House) -> None:
    files = _files(house.folder)
    images = [NamedImage(name, partial(bytes, data)) for name, data in files.items()]

    single = [_timeless(house.service.analyze(image, OPTIONS).result()) for image in images]
    by_shards = [house.results(str(house.folder), shard_images=images) for images in (1, 2, SHARD_IMAGES)]

    assert [replace(one, sha256=None) for one in by_shards[0]] == single
    assert by_shards[1] == by_shards[0]
    assert by_shards[2] == by_shards[0]


def test_a_container_and_a_bucket_give_what_the_folder_gives(
    house: House, azure_place: Place, s3_place: Place
) -> None:
    prefix, files = str(uuid.uuid4()), _files(house.folder)
    (sas,) = with_sas(azure_place).environment.values()
    pair = s3_place.environment
    for name, data in files.items():
        url = f"{azure_place.endpoint}/{BUCKET}/{quote(f'{prefix}/{name}')}?{sas}"
        httpx.put(url, content=data, headers={"x-ms-blob-type": "BlockBlob"}).raise_for_status()
        obstore.put(_bucket(s3_place, prefix), name, data)

    in_folder = house.results(str(house.folder))
    in_container = house.results(azure_place.below(prefix), secrets={"source": sas})
    secret = f"{pair['AWS_ACCESS_KEY_ID']}:{pair['AWS_SECRET_ACCESS_KEY']}"
    in_bucket = house.results(s3_place.below(prefix), secrets={"source": secret})

    assert len(in_folder) == len(files)
    assert in_container == in_folder
    assert in_bucket == in_folder


def _bucket(place: Place, prefix: str) -> S3Store:
    return S3Store(
        BUCKET,
        prefix=prefix,
        endpoint=place.endpoint,
        access_key_id=place.environment["AWS_ACCESS_KEY_ID"],
        secret_access_key=place.environment["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )
