"""Which formats are read is a policy's to say, and told by content."""

import io
from collections.abc import Sequence

import pytest
from PIL import Image

from okapia.domain.errors import BadImage, UnsupportedFormat
from okapia.vision.decode import DecodePolicy, Picture
from okapia.vision.header import FORMATS
from tests.unit.vision.pictures import encode, scene

FEW = DecodePolicy(formats=("JPEG", "PNG"))


def two_pictures_in_one() -> bytes:
    """A JPEG of several pictures (MPO), as stereo cameras and some phones write it."""
    buffer = io.BytesIO()
    first, second = (Image.fromarray(scene(64, 48, seed=seed)) for seed in (1, 2))
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    return buffer.getvalue()


def formats_read(policy: DecodePolicy) -> Sequence[str]:
    pictures = {name: encode(scene(64, 48), name) for name in FORMATS}
    read = []
    for name, data in pictures.items():
        try:
            Picture.open(data, policy).pixels((64, 48))
        except UnsupportedFormat:
            continue
        read.append(name)
    return read


def test_without_a_word_all_formats_are_read() -> None:
    assert formats_read(DecodePolicy()) == list(FORMATS)


def test_others_than_the_policys_are_refused() -> None:
    assert formats_read(FEW) == ["JPEG", "PNG"]


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF", "GIF"])
def test_the_refusal_names_the_accepted_formats(kind: str) -> None:
    with pytest.raises(UnsupportedFormat, match="expected one of JPEG, PNG, got"):
        Picture.open(encode(scene(64, 48), kind), FEW)


def test_a_jpeg_of_several_pictures_is_a_jpeg() -> None:
    picture = Picture.open(two_pictures_in_one(), DecodePolicy(formats=("JPEG",)))

    assert picture.pixels((64, 48)).shape == (48, 64, 3)


def test_a_damaged_header_is_damage_only_in_a_format_that_is_read() -> None:
    damaged = encode(scene(64, 48), "GIF")[:8]

    with pytest.raises(UnsupportedFormat):
        Picture.open(damaged, FEW)
    with pytest.raises(BadImage, match="header is damaged"):
        Picture.open(damaged)
