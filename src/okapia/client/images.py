"""Pictures as programs have them: a path, bytes or an open file."""

import mimetypes
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

Image = str | os.PathLike[str] | bytes | BinaryIO
"""A path (text is always one), the encoded picture itself, or a file opened for reading bytes."""

MOST_IMAGES = 10
"""Pictures of one batch call, as the contract has it."""

MOST_BYTES = 10_000_000
"""Bytes of pictures in one batch call; a server that takes less says so, and gets less."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and the name under which it is sent."""

    name: str
    data: bytes = field(repr=False)


def read_picture(image: Image) -> Picture:
    """Read a picture as it is; it is not decoded.

    Raises:
        OSError: the file cannot be read.
        TypeError: `image` is none of the three.
    """
    if isinstance(image, bytes):
        return Picture("image", image)
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        return Picture(path.name, path.read_bytes())
    data = image.read() if hasattr(image, "read") else None
    if not isinstance(data, bytes):
        raise TypeError(f"expected a path, bytes or a file opened with 'rb', got {type(image).__name__}")
    return Picture(Path(str(getattr(image, "name", "image"))).name, data)


def content_type_of(name: str) -> str:
    """Guess from a file's name what it is; a name that does not say is that of a JPEG, as cameras write."""
    return mimetypes.guess_type(name)[0] or "image/jpeg"


def in_batches(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """Group pictures as they come; one that is too large for any group is alone in its own."""
    batch: list[Picture] = []
    size = 0
    for picture in pictures:
        if batch and (len(batch) == MOST_IMAGES or size + len(picture.data) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(picture)
        size += len(picture.data)
    if batch:
        yield batch
