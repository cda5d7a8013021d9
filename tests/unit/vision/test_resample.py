"""Resizing in the ways that networks were trained with."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from okapia.domain.types import Size
from okapia.vision.resample import Interpolation, resize
from tests.unit.vision.pictures import difference, scene

sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))
WAYS: tuple[Interpolation, ...] = ("fast", "bilinear", "bicubic", "lanczos", "cv2_bilinear")


def test_shrinking_is_nearer_to_pillows_antialiasing_than_plain_interpolation() -> None:
    pixels = scene(800, 600, noise=40)
    reference = np.asarray(Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC))

    smooth = resize(pixels, (160, 120))
    aliased = np.asarray(cv2.resize(pixels, (160, 120), interpolation=cv2.INTER_LINEAR), np.uint8)

    assert difference(smooth, reference) < 0.5 * difference(aliased, reference)


def test_shrinking_one_axis_and_growing_the_other_still_averages() -> None:
    stripes = np.zeros((4, 400, 3), np.uint8)
    stripes[:, ::2] = 200

    squeezed = resize(stripes, (40, 40))

    assert squeezed.shape == (40, 40, 3)
    assert (squeezed == 100).all()


@given(source=sizes, size=sizes)
def test_stretching_gives_the_asked_size_and_keeps_an_even_colour(source: Size, size: Size) -> None:
    stretched = resize(np.full((source[1], source[0], 3), 99, np.uint8), size)

    assert stretched.shape == (size[1], size[0], 3)
    assert (stretched == 99).all()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_asked_size_and_keeps_an_even_colour(way: Interpolation) -> None:
    resized = resize(np.full((90, 70, 3), 99, np.uint8), (31, 120), way)

    assert resized.shape == (120, 31, 3)
    assert resized.dtype == np.uint8
    assert (resized == 99).all()


@pytest.mark.parametrize(
    ("way", "pillow"),
    [
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_the_anti_aliased_ways_are_pillows(way: Interpolation, pillow: Image.Resampling) -> None:
    pixels = scene(300, 200, noise=40)

    assert (
        resize(pixels, (64, 48), way) == np.asarray(Image.fromarray(pixels).resize((64, 48), pillow))
    ).all()


def test_opencvs_way_does_not_average() -> None:
    stripes = np.zeros((40, 400, 3), np.uint8)
    stripes[:, ::10] = 200

    # Sampling between the columns 4 and 5 of every ten sees no stripe.
    assert resize(stripes, (40, 40), "cv2_bilinear").max() == 0
    assert resize(stripes, (40, 40), "bilinear").max() > 0
