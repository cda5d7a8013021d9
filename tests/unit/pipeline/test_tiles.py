"""Tiles on pictures whose animals are bright blobs."""

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import Category, Size
from okapia.pipeline.fusion import Fusion
from okapia.pipeline.tiles import Tiled
from okapia.vision.decode import Picture
from tests.unit.pipeline.blobs import (
    CANVAS,
    PICTURE,
    WHOLE,
    BlobDetector,
    Rect,
    ScriptedDetector,
    animal,
    box_of,
    scene,
)

# --- what is found --------------------------------------------------------------------


def test_a_small_animal_that_the_whole_picture_does_not_show_is_found() -> None:
    mouse = (300, 300, 316, 316)
    pixels = scene(mouse)
    detector = BlobDetector()

    (found,) = Tiled(detector).detect(pixels)

    assert detector.detect(pixels) == ()
    assert found.bbox.iou(box_of(mouse)) > 0.6


@pytest.mark.parametrize("left", range(680, 920, 15))
@pytest.mark.parametrize("top", [300, 525, 590, 655])
def test_a_small_animal_at_the_border_of_tiles_is_one_box(left: int, top: int) -> None:
    mouse = (left, top, left + 40, top + 40)

    (found,) = Tiled(BlobDetector()).detect(scene(mouse))

    assert found.bbox.iou(box_of(mouse)) > 0.8


@pytest.mark.parametrize(
    "snake",
    [(500, 300, 1100, 316), (300, 200, 316, 900), (20, 595, 1580, 611)],
    ids=["across columns", "across rows", "through all four tiles"],
)
def test_an_animal_that_no_view_shows_whole_is_joined_from_its_parts(snake: Rect) -> None:
    pixels = scene(snake)
    detector = BlobDetector()

    (found,) = Tiled(detector).detect(pixels)

    assert detector.detect(pixels) == ()
    assert found.bbox.iou(box_of(snake)) > 0.7


@pytest.mark.parametrize(
    "elephant",
    [(200, 200, 1400, 1000), (0, 0, 1600, 1200), (500, 100, 1200, 1100), (100, 450, 1500, 800)],
)
@pytest.mark.parametrize("per_side", [2, 3, 4])
def test_a_large_animal_is_one_box(elephant: Rect, per_side: int) -> None:
    (found,) = Tiled(BlobDetector(), per_side=per_side).detect(scene(elephant))

    assert found.bbox.iou(box_of(elephant)) > 0.95


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((690, 300, 790, 400), (810, 300, 910, 400)),
        ((250, 300, 780, 900), (820, 300, 1350, 900)),
        ((300, 100, 700, 580), (300, 610, 700, 1100)),
        ((700, 300, 716, 316), (730, 300, 746, 316)),
    ],
    ids=["in the overlap", "large", "one above the other", "small"],
)
def test_neighbours_stay_two(one: Rect, other: Rect) -> None:
    found = Tiled(BlobDetector()).detect(scene(one, other))

    assert len(found) == 2
    assert all(max(d.bbox.iou(box_of(rect)) for d in found) > 0.6 for rect in (one, other))


def test_the_surest_comes_first() -> None:
    found = Tiled(BlobDetector()).detect(scene((100, 100, 140, 140), (400, 400, 900, 900)))

    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)


# --- fusion ---------------------------------------------------------------------------


def test_a_fusion_of_detectors_can_be_tiled() -> None:
    mouse = (300, 300, 316, 316)
    fusion = Fusion(animals=BlobDetector(), coco=BlobDetector(category=Category.VEHICLE))

    found = Tiled(fusion).detect(scene(mouse))

    assert {d.category for d in found} == {Category.ANIMAL, Category.VEHICLE}
    assert len(found) == 2


def test_a_tiled_specialist_can_be_fused() -> None:
    mouse = (300, 300, 316, 316)
    fusion = Fusion(animals=Tiled(BlobDetector()), coco=BlobDetector(category=Category.VEHICLE))

    (found,) = fusion.detect(scene(mouse))

    assert fusion.wanted(PICTURE) == Tiled(BlobDetector()).wanted(PICTURE)
    assert found.category is Category.ANIMAL


# --- sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize("per_side", [2, 3, 4])
def test_decoding_for_tiles_fills_the_canvas_with_each_of_them(per_side: int) -> None:
    encoded = cv2.imencode(".jpg", scene(size=(4000, 3000)))[1].tobytes()
    detector = BlobDetector()
    tiled = Tiled(detector, per_side=per_side)

    pixels = Picture.open(encoded).pixels(tiled.wanted((4000, 3000)))
    tiled.detect(pixels)

    assert len(detector.looks) == 1 + per_side**2
    assert all(width >= CANVAS[0] and height >= CANVAS[1] for width, height in detector.looks)


@pytest.mark.parametrize(
    ("overlap", "picture", "wanted"),
    [
        (0.5, (4000, 3000), (600, 450)),
        (0.2, (4000, 3000), (720, 540)),
        (0.2, (3000, 4000), (405, 540)),
        (0.2, (640, 480), (640, 480)),
        (0.2, (440, 330), (400, 300)),
    ],
    ids=["large overlap", "small overlap", "upright", "as many pixels as there are", "without tiles"],
)
def test_a_picture_is_decoded_no_larger_than_its_tiles_need(
    overlap: float, picture: Size, wanted: Size
) -> None:
    assert Tiled(BlobDetector(), overlap=overlap).wanted(picture) == wanted


@pytest.mark.parametrize("size", [(40, 30), (400, 300), (480, 360), (390, 30)])
def test_a_picture_that_the_canvas_shows_almost_in_full_is_not_tiled(size: Size) -> None:
    detector = BlobDetector()

    Tiled(detector).detect(scene(size=size))

    assert detector.looks == [size]


def test_a_picture_that_hardly_needs_them_gets_fewer_tiles() -> None:
    detector = BlobDetector()

    Tiled(detector, per_side=4).detect(scene(size=(600, 450)))

    assert detector.looks == [(600, 450), *[(400, 300)] * 4]


_lengths = st.integers(1, 3000)
_several_px = st.integers(100, 3000)
"""Sides on which tiles overlap by whole pixels, however small the overlap."""


@given(width=_lengths, height=_lengths, per_side=st.integers(2, 4), overlap=st.floats(0.05, 0.5))
def test_no_tile_is_smaller_than_the_canvas(width: int, height: int, per_side: int, overlap: float) -> None:
    detector = BlobDetector()

    Tiled(detector, per_side=per_side, overlap=overlap).detect(scene(size=(width, height)))

    _, *tiles = detector.looks
    assert all(wide >= CANVAS[0] or high >= CANVAS[1] for wide, high in tiles)


@given(width=_several_px, height=_several_px, per_side=st.integers(2, 4), overlap=st.floats(0.05, 0.5))
def test_what_fills_every_tile_is_one_box_around_the_picture(
    width: int, height: int, per_side: int, overlap: float
) -> None:
    everywhere = ScriptedDetector([[], *[[animal(0.5, WHOLE)]] * per_side**2])

    found = Tiled(everywhere, per_side=per_side, overlap=overlap).detect(scene(size=(width, height)))

    # Without tiles there is only the whole picture, of which this detector says nothing.
    assert [d.bbox.area for d in found] in ([], [pytest.approx(1.0)])


@pytest.mark.parametrize("per_side", [-1, 0, 1, 5])
def test_a_number_of_tiles_out_of_range_is_refused(per_side: int) -> None:
    with pytest.raises(InvalidRequest, match=f"expected 2 to 4 tiles a side, got {per_side}") as error:
        Tiled(BlobDetector(), per_side=per_side)

    assert error.value.param == "tiles"


@pytest.mark.parametrize("overlap", [-0.1, 0.0, 0.6, float("nan")])
def test_an_overlap_out_of_range_is_refused(overlap: float) -> None:
    with pytest.raises(InvalidRequest, match="expected tiles to overlap"):
        Tiled(BlobDetector(), overlap=overlap)


def test_a_tiled_detector_reports_the_network_as_it_is() -> None:
    detector = BlobDetector()

    assert Tiled(detector).reports == detector.reports
