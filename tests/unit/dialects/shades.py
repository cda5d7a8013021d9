"""A network whose boxes lie where the picture's brightness says, so that no two answers are alike."""

import io
from pathlib import Path

from PIL import Image

from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import BBox, Category, Detection, Size
from okapia.models.base import Detector
from okapia.service import Service
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels
from tests.unit.dialects.foxes import FoxRegistry, service_around

CONFIDENCES = {
    Category.ANIMAL: 0.98765,
    Category.OTHER: 0.9,
    Category.PERSON: 0.5,
    Category.VEHICLE: 0.012345,
}


def shade(level: int, file_format: str = "JPEG", *, size: Size = (64, 48)) -> bytes:
    """Encode a picture of one grey, 0..255."""
    out = io.BytesIO()
    Image.new("RGB", size, (level,) * 3).save(out, file_format)
    return out.getvalue()


def box_of(level: int) -> list[float]:
    """Give the corners that Microsoft's answer has for a picture of this grey."""
    return [0.1234, level / 1000, 0.3734, (level + 500) / 1000]


class Shades:
    """Sees an animal, something else, a person and a vehicle, all in the same place."""

    reports = (ModelReport("shades", "detector", (64, 64), "test 1", "cpu", "f32", "0" * 64),)

    def wanted(self, picture: Size) -> Size:
        return fit(picture, (64, 64))

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        level = round(float(pixels.mean()))
        place = BBox(level / 1000, 0.123456, 0.5, 0.25)
        return tuple(
            Detection(place, category, confidence, category.value)
            for category, confidence in CONFIDENCES.items()
        )


class ShadesRegistry(FoxRegistry):
    """Gives that network, whatever is asked for."""

    def detector(self, model_id: str) -> Detector:
        del model_id
        return Shades()


def shades_service(folder: Path) -> Service:
    return service_around(ShadesRegistry, folder, ModelChoice("shades", "fox-namer"))
