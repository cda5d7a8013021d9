"""Tiles on pictures whose animals are bright blobs, and the merging rule, one clause a test."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import BBox, Category, Detection, ModelReport, Size
from okapia.pipeline.fusion import Fusion
from okapia.pipeline.tiles import MAX_DETECTIONS, SAME_IOU, Seen, Tiled, merge
from okapia.vision.decode import Picture
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels

CANVAS = (400, 300)
PICTURE = (1600, 1200)
"""The whole picture is shown at 1 : 4. Tiles are 889 x 667, shown at 1 : 2.2; columns meet at 711..889."""
LEAST_PX = 5
"""Smallest side of a blob that the detector sees on its canvas: 20 px of the picture, 12 px of a tile."""

WHOLE = BBox(0.0, 0.0, 1.0, 1.0)
LEFT_TILE = BBox(0.0, 0.0, 0.6, 1.0)
RIGHT_TILE = BBox(0.4, 0.0, 0.6, 1.0)

Rect = tuple[int, int, int, int]
"""left, top, right, bottom in pixels"""


class BlobDetector:
    """Finds bright blobs as a network does: on its canvas, and none that is too small there."""

    def __init__(self, *, category: Category = Category.ANIMAL, canvas: Size = CANVAS) -> None:
        self.reports: tuple[ModelReport, ...] = (
            ModelReport("blobs", "detector", canvas, "opencv", "cpu", "f32", ""),
        )
        self.canvas = canvas
        self.looks: list[Size] = []
        self._category = category

    def wanted(self, picture: Size) -> Size:
        return fit(picture, self.canvas)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        size = (pixels.shape[1], pixels.shape[0])
        self.looks.append(size)
        content = fit(size, self.canvas)
        canvas = cv2.resize(pixels, content, interpolation=cv2.INTER_AREA)
        bright = (canvas[:, :, 0] > 127).astype(np.uint8)
        _, _, blobs, _ = cv2.connectedComponentsWithStats(bright)
        seen = [tuple(map(int, blob[:4])) for blob in blobs[1:] if min(blob[2:4]) >= LEAST_PX]
        found = (
            self._detection(BBox(x / content[0], y / content[1], w / content[0], h / content[1]))
            for x, y, w, h in seen
        )
        return tuple(sorted(found, key=lambda d: d.confidence, reverse=True))

    def _detection(self, bbox: BBox) -> Detection:
        """Larger is surer, so that parts that fill a tile are surer than the whole."""
        return Detection(bbox, self._category, min(0.3 + bbox.area, 0.9), self._category.value)


class ScriptedDetector:
    """Answers look after look with given boxes."""

    def __init__(self, answers: Sequence[Sequence[Detection]]) -> None:
        self.reports: tuple[ModelReport, ...] = ()
        self._answers = iter(answers)

    def wanted(self, picture: Size) -> Size:
        return fit(picture, CANVAS)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        del pixels
        return tuple(next(self._answers))


def scene(*animals: Rect, size: Size = PICTURE) -> Pixels:
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for left, top, right, bottom in animals:
        pixels[top:bottom, left:right] = 255
    return pixels


def box_of(rect: Rect, size: Size = PICTURE) -> BBox:
    left, top, right, bottom = rect
    return BBox.from_corners(left / size[0], top / size[1], right / size[0], bottom / size[1])


def animal(confidence: float, bbox: BBox) -> Detection:
    return Detection(bbox, Category.ANIMAL, confidence, "animal")


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


def test_a_small_animal_before_a_large_one_stays() -> None:
    cow = Seen(animal(0.9, BBox(0.1, 0.1, 0.8, 0.8)), WHOLE)
    bird = Seen(animal(0.4, BBox(0.15, 0.2, 0.05, 0.05)), LEFT_TILE)

    assert len(merge([cow, bird])) == 2


def test_the_surest_comes_first() -> None:
    found = Tiled(BlobDetector()).detect(scene((100, 100, 140, 140), (400, 400, 900, 900)))

    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)


def test_at_most_the_usual_number_of_boxes_is_given() -> None:
    places = [BBox(x / 20, y / 20, 0.02, 0.02) for x in range(20) for y in range(20)]
    crowd = [animal(0.02 + place / 1000, bbox) for place, bbox in enumerate(places)]

    found = Tiled(ScriptedDetector([crowd, [], [], [], []])).detect(scene())

    assert found == tuple(sorted(crowd, key=lambda d: d.confidence, reverse=True))[:MAX_DETECTIONS]


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


# --- the rule -------------------------------------------------------------------------


def test_a_part_makes_the_whole_as_sure_as_itself() -> None:
    whole = animal(0.3, BBox(0.2, 0.2, 0.6, 0.6))
    part = animal(0.8, BBox(0.2, 0.2, 0.39, 0.6))

    assert merge([Seen(whole, WHOLE), Seen(part, LEFT_TILE)]) == (replace(whole, confidence=0.8),)


def test_noise_around_a_sure_part_does_not_swallow_it() -> None:
    noise = animal(0.02, BBox(0.0, 0.0, 1.0, 0.9))
    part = animal(0.8, BBox(0.3, 0.3, 0.3, 0.2))

    assert merge([Seen(noise, WHOLE), Seen(part, LEFT_TILE)]) == (part, noise)


def test_a_box_at_the_border_of_the_picture_is_not_cut() -> None:
    assert not Seen(animal(0.5, BBox(0.0, 0.0, 0.2, 1.0)), LEFT_TILE).is_cut
    assert not Seen(animal(0.5, BBox(0.8, 0.0, 0.2, 1.0)), RIGHT_TILE).is_cut
    assert Seen(animal(0.5, BBox(0.3, 0.3, 0.3, 0.2)), LEFT_TILE).is_cut
    assert Seen(animal(0.5, BBox(0.4, 0.3, 0.3, 0.2)), RIGHT_TILE).is_cut


def test_two_parts_that_do_not_meet_are_not_joined() -> None:
    upper = animal(0.8, BBox(0.2, 0.1, 0.4, 0.1))
    lower = animal(0.7, BBox(0.4, 0.7, 0.4, 0.1))

    assert merge([Seen(upper, LEFT_TILE), Seen(lower, RIGHT_TILE)]) == (upper, lower)


def test_a_person_and_an_animal_at_one_place_stay_two() -> None:
    bbox = BBox(0.2, 0.2, 0.39, 0.6)
    rider = Detection(bbox, Category.PERSON, 0.8, "person")

    assert merge([Seen(animal(0.9, bbox), WHOLE), Seen(rider, LEFT_TILE)]) == (animal(0.9, bbox), rider)


def test_two_names_of_one_animal_are_one_box() -> None:
    bbox = BBox(0.2, 0.2, 0.1, 0.1)
    dog = Detection(bbox, Category.ANIMAL, 0.5, "dog")

    assert merge([Seen(animal(0.9, bbox), WHOLE), Seen(dog, LEFT_TILE)]) == (animal(0.9, bbox),)


def test_things_without_a_category_are_told_apart_by_their_names() -> None:
    bbox = BBox(0.2, 0.2, 0.1, 0.1)
    chair = Detection(bbox, Category.OTHER, 0.9, "chair")
    bench = Detection(bbox, Category.OTHER, 0.5, "bench")

    assert merge([Seen(chair, WHOLE), Seen(bench, LEFT_TILE)]) == (chair, bench)


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


# --- whatever a detector says ---------------------------------------------------------

_fractions = st.floats(0, 1)
_boxes = st.builds(
    lambda x, y: BBox.from_corners(min(x), min(y), max(x), max(y)),
    st.tuples(_fractions, _fractions),
    st.tuples(_fractions, _fractions),
)
_detections = st.builds(
    lambda bbox, category, confidence: Detection(bbox, category, confidence, category.value),
    _boxes,
    st.sampled_from(Category),
    st.floats(0.01, 1),
)


@given(answers=st.lists(st.lists(_detections, max_size=6), min_size=5, max_size=5))
def test_any_answers_are_merged_into_boxes_on_the_picture_without_doubles(
    answers: list[list[Detection]],
) -> None:
    found = Tiled(ScriptedDetector(answers)).detect(scene())

    sides = [side for d in found for side in (d.bbox.x_min, d.bbox.y_min, d.bbox.x_max, d.bbox.y_max)]
    assert all(0 <= side <= 1 + 1e-9 for side in sides)
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    pairs = [(a, b) for a, b in combinations(found, 2) if a.category is b.category]
    assert all(a.bbox.iou(b.bbox) <= SAME_IOU + 1e-9 for a, b in pairs)


@given(answers=st.lists(st.lists(_detections, max_size=6), min_size=5, max_size=5))
def test_merging_loses_no_category_and_none_of_its_confidence(answers: list[list[Detection]]) -> None:
    found = Tiled(ScriptedDetector(answers)).detect(scene())

    said = [detection for answer in answers for detection in answer]
    assert _surest(said) == _surest(found)


def _surest(detections: Sequence[Detection]) -> dict[Category, float]:
    return {d.category: max(o.confidence for o in detections if o.category is d.category) for d in detections}
