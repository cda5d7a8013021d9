"""What people get to see: boxes, labels, and people who cannot be recognised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import BBox, Category, Detection, Prediction, Size
from okapia.vision.decode import Picture
from okapia.vision.draw import Redaction, annotate, encode_jpeg, redact
from okapia.vision.geometry import cover_px
from tests.unit.vision.pictures import difference, fitted, scene

FOX = Taxon("0", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
MIDDLE = BBox(0.25, 0.25, 0.5, 0.5)
GREY = np.full((300, 400, 3), 128, np.uint8)


def detection(
    bbox: BBox = MIDDLE,
    *,
    category: Category = Category.ANIMAL,
    name: str = "animal",
    fox: Taxon | None = None,
) -> Detection:
    prediction = None if fox is None else Prediction(fox, 0.91, "classifier")
    return Detection(bbox, category, 0.8, name, prediction=prediction)


def test_a_box_is_drawn_in_a_copy() -> None:
    drawn = annotate(GREY, [detection()])

    assert (GREY == 128).all()
    assert drawn.shape == GREY.shape
    assert drawn[224, 200].tolist() != [128, 128, 128]
    assert drawn[150, 200].tolist() == [128, 128, 128]


def test_each_category_has_its_colour() -> None:
    colours = {tuple(annotate(GREY, [detection(category=c)])[224, 200].tolist()) for c in Category}

    assert len(colours) == len(Category)


def test_the_prediction_names_the_box() -> None:
    plain, named = annotate(GREY, [detection()]), annotate(GREY, [detection(fox=FOX)])

    assert not np.array_equal(plain[:75], named[:75])


def test_no_detections_change_nothing() -> None:
    assert np.array_equal(annotate(GREY, []), GREY)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (40, 40), (4000, 30)])
@pytest.mark.parametrize("bbox", [BBox(0, 0, 1, 1), BBox(0.9, 0.9, 0.1, 0.1), BBox(0.5, 0.5, 0, 0)])
def test_pictures_of_any_size_can_be_drawn_on(size: Size, bbox: BBox) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)

    drawn = annotate(pixels, [detection(bbox, name="a very long name of a rare animal")])

    assert drawn.shape == pixels.shape


@given(
    x=st.floats(0, 1, width=32),
    y=st.floats(0, 1, width=32),
    name=st.text("abgjpq ÄÖü", min_size=1, max_size=60),
)
def test_a_label_never_leaves_the_picture(x: float, y: float, name: str) -> None:
    bbox = BBox.from_corners(x, y, x + 0.02, y + 0.02)
    narrow = np.zeros((120, 160, 3), np.uint8)

    drawn = annotate(narrow, [detection(bbox, name=name)])

    # A label is a filled rectangle at least eight pixels high: cut off by an edge it would be lower.
    rows = (drawn.any(axis=2)).sum(axis=1)
    assert (rows > 8).sum() >= 6


@pytest.mark.parametrize("style", list(Redaction))
def test_a_redacted_part_is_changed_and_the_rest_is_not(style: Redaction) -> None:
    pixels = scene(400, 300, noise=30)

    hidden = redact(pixels, [MIDDLE], style=style)

    inside = np.zeros((300, 400), bool)
    inside[67:233, 90:310] = True
    assert np.array_equal(hidden[~inside], pixels[~inside])
    assert difference(hidden[75:225, 100:300], pixels[75:225, 100:300]) > 15


def test_filling_leaves_nothing() -> None:
    hidden = redact(GREY, [MIDDLE], style=Redaction.FILL)

    assert not hidden[75:225, 100:300].any()


def test_a_blur_cannot_be_told_from_another_picture_of_the_same_mean_colours() -> None:
    """Irreversible: detail that differs only within a block leaves no trace at all."""
    rng = np.random.default_rng(0)
    one = np.full((240, 240, 3), 120, np.uint8)
    other = one.copy()
    checks = (np.indices((240, 240)).sum(axis=0) % 2).astype(bool)
    other[checks], other[~checks] = 200, 40
    face = BBox(0, 0, 1, 1)

    blurred = [redact(p, [face], style=Redaction.BLUR) for p in (one, other, rng.permuted(other, axis=0))]

    assert difference(blurred[0], blurred[1]) <= 1
    assert blurred[2].std() < 0.15 * other.std()


@given(
    bbox=st.builds(
        BBox.from_corners,
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
    ),
    style=st.sampled_from(list(Redaction)),
)
def test_every_box_can_be_redacted(bbox: BBox, style: Redaction) -> None:
    pixels = np.full((50, 70, 3), 255, np.uint8)

    hidden = redact(pixels, [bbox], style=style)

    left, top, right, bottom = cover_px(bbox, (70, 50))
    assert hidden.shape == pixels.shape
    assert (hidden[top:bottom, left:right] == (0 if style is Redaction.FILL else 255)).all()


def test_an_encoded_picture_decodes_to_itself() -> None:
    pixels = scene(320, 200, noise=0)

    picture = Picture.open(encode_jpeg(pixels, 95))

    assert picture.info.format == "JPEG"
    assert difference(fitted(picture, (320, 200)), pixels) < 3


def test_a_side_beyond_jpegs_limit_is_named() -> None:
    with pytest.raises(ValueError, match="got 65501 x 1"):
        encode_jpeg(np.zeros((1, 65_501, 3), np.uint8))
