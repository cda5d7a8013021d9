"""What is kept of a picture: itself, and a copy that shows what was found."""

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from structlog.testing import capture_logs

from okapia.domain.types import BBox, Category, Detection
from okapia.service import Service
from okapia.service.keeping import Keeper, KeepingOptions
from okapia.vision.budget import DecodeBudget
from okapia.vision.decode import DecodePolicy
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.test_animaldetect import jpeg

PICTURE = jpeg()
DOG = Detection(BBox(0.25, 0.25, 0.5, 0.5), Category.ANIMAL, 0.9, "dog")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = fox_service(tmp_path)
    yield service
    service.close()


def keeper(service: Service, folder: Path) -> Keeper:
    return Keeper(service, KeepingOptions(folder, timedelta(days=1), 1_000_000))


def kept(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by what comes after the 36 characters of the name."""
    return {path.name[36:]: path.read_bytes() for path in folder.iterdir()}


def test_a_picture_is_kept_as_it_came_beside_a_copy_with_its_boxes(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "album"

    keeper(service, folder).keep(PICTURE, suffix=".jpeg", kind="object", detections=[DOG])

    files = kept(folder)
    assert set(files) == {".jpeg", "-object.jpg"}
    assert files[".jpeg"] == PICTURE
    plain, drawn = (Image.open(io.BytesIO(data)).convert("RGB") for data in files.values())
    assert plain.size == drawn.size
    assert plain.tobytes() != drawn.tobytes()


def test_where_memory_has_no_room_the_picture_is_kept_without_a_copy(tmp_path: Path) -> None:
    service = fox_service(tmp_path, policy=DecodePolicy(budget=DecodeBudget(1)).in_haste())

    with capture_logs() as logs:
        keeper(service, tmp_path / "album").keep(PICTURE, suffix=".jpg", kind="face", detections=[])

    service.close()
    assert kept(tmp_path / "album") == {".jpg": PICTURE}
    assert [log["event"] for log in logs] == ["copy_not_drawn"]


def test_a_picture_that_cannot_be_kept_is_a_line_in_the_log_and_no_error(
    service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "album"
    keeping = keeper(service, folder)
    folder.rmdir()

    with capture_logs() as logs:
        keeping.keep(PICTURE, suffix=".jpg", kind="object", detections=[])

    assert [(log["event"], log["code"]) for log in logs] == [("picture_not_kept", "storage_unavailable")]
    assert str(tmp_path) not in str(logs)
