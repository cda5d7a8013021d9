"""Reading MegaDetector's batch results back: the file as it is on the disk, its images parsed one by one."""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from okapia.domain.errors import InvalidRequest

Corner = tuple[float, float, float, float]
"""x_min, y_min, width, height, as fractions of the image."""


@dataclass(frozen=True, slots=True)
class WrittenBox:
    """A detection as it stands in a file.

    Attributes:
        category: an id, that `WrittenResults.categories` names.
        classifications: ids and scores, the answer first.
        frame_number: of a clip.
    """

    category: str
    conf: float
    bbox: Corner
    classifications: Sequence[tuple[str, float]] = ()
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """An image as it stands in a file.

    Attributes:
        failure: why it has no detections.
        sha256: of the image's bytes, in hexadecimal; most files do not say.
    """

    file: str
    detections: Sequence[WrittenBox] | None = None
    failure: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Info:
    custom_metadata: object = None


@dataclass(frozen=True, slots=True)
class _Document:
    images: Sequence[msgspec.Raw]
    info: _Info
    detection_categories: Mapping[str, str]
    classification_categories: Mapping[str, str] = field(default_factory=dict)
    classification_category_descriptions: Mapping[str, str] = field(default_factory=dict)


_DOCUMENT = msgspec.json.Decoder(_Document)
_IMAGE = msgspec.json.Decoder(WrittenImage)


class WrittenResults:
    """A results file; its images are parsed when they are asked for, so that millions fit.

    Attributes:
        manifest: what made it, where its program said so.
        categories: names of detections by id.
        taxa: labels of classifications by id; seven-part ones where the file has them.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            InvalidRequest: it cannot be read, or is of another format.
        """
        try:
            with path.open("rb") as file:
                # Stays open as long as the images, which point into it.
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            document = _DOCUMENT.decode(mapped)
        except OSError as error:
            raise InvalidRequest(f"cannot read {path.name}: {error.strerror}", param="results") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise _other(path, error) from error
        self.manifest = document.info.custom_metadata
        self.categories = document.detection_categories
        self.taxa = document.classification_category_descriptions or document.classification_categories
        self._path = path
        self._images = document.images

    def __len__(self) -> int:
        """Give the number of images."""
        return len(self._images)

    def image(self, place: int) -> WrittenImage:
        """Give the image at a place, from 0.

        Raises:
            InvalidRequest: it is not as the format wants it.
        """
        try:
            return _IMAGE.decode(self._images[place])
        except msgspec.DecodeError as error:
            raise _other(self._path, error) from error


def _other(path: Path, error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"expected MegaDetector's batch results, {path.name} is something else: {error}", param="results"
    )
