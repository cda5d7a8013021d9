"""From a picture to a canvas and back, and which boxes stay."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from okapia.domain.types import BBox, Size
from okapia.vision.geometry import (
    centre_part,
    cover_px,
    fit,
    fit_min_max,
    letterbox,
    middle_strip,
    nms,
    square_crop_box,
    whole_pixel_box,
)

Boxes = NDArray[np.float32]

sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))
fractions = st.floats(0, 1, width=32)
bboxes = st.builds(BBox.from_corners, fractions, fractions, fractions, fractions)


def test_the_content_lies_top_left() -> None:
    placed = letterbox(np.full((50, 100, 3), 7, np.uint8), (64, 48))

    assert (placed.content, placed.offset, placed.canvas) == ((64, 32), (0, 0), (64, 48))
    assert (placed.pixels == 7).all()


@pytest.mark.parametrize(
    ("source", "offset"), [((100, 50), (0, 16)), ((50, 100), (16, 0)), ((64, 63), (0, 0)), ((64, 61), (0, 1))]
)
def test_centred_content_leaves_the_odd_pixel_at_the_right_and_below(source: Size, offset: Size) -> None:
    placed = letterbox(np.zeros((source[1], source[0], 3), np.uint8), (64, 64), is_centred=True)

    assert placed.offset == offset


@given(source=sizes, canvas=sizes)
def test_the_content_touches_the_canvas_on_one_side_and_leaves_it_on_none(source: Size, canvas: Size) -> None:
    placed = letterbox(np.zeros((source[1], source[0], 3), np.uint8), canvas, is_centred=True)

    assert placed.content[0] == canvas[0] or placed.content[1] == canvas[1]
    assert placed.offset[0] + placed.content[0] <= canvas[0]
    assert placed.offset[1] + placed.content[1] <= canvas[1]
    assert min(placed.content) >= 1


@pytest.mark.parametrize(
    ("source", "content"), [((20_000, 10), (640, 1)), ((10, 20_000), (1, 640)), ((1, 1), (640, 640))]
)
def test_strips_and_single_pixels_keep_at_least_one_pixel(source: Size, content: Size) -> None:
    pixels = np.full((source[1], source[0], 3), 200, np.uint8)

    placed = letterbox(pixels, (640, 640))

    assert placed.content == content
    assert (placed.pixels == 200).all()


@given(source=sizes, canvas=sizes, box=bboxes, is_centred=st.booleans())
def test_mapping_back_inverts_the_letterbox(
    source: Size, canvas: Size, box: BBox, *, is_centred: bool
) -> None:
    placed = letterbox(np.zeros((source[1], source[0], 3), np.uint8), canvas, is_centred=is_centred)
    corners = np.array([[box.x_min, box.y_min, box.x_max, box.y_max]], np.float32)
    on_canvas = corners * np.array(placed.content * 2, np.float32) + np.array(placed.offset * 2, np.float32)

    back = placed.fractions(on_canvas)

    assert back.dtype == np.float32
    assert back == pytest.approx(corners, abs=1e-4)


@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(0, 20), st.just(4)), elements=st.floats(-1e4, 1e4, width=32)
    )
)
def test_boxes_come_back_within_the_picture(xyxy: Boxes) -> None:
    placed = letterbox(np.zeros((30, 40, 3), np.uint8), (64, 64))

    back = placed.fractions(xyxy)

    assert back.shape == xyxy.shape
    assert ((back >= 0) & (back <= 1)).all()


def test_a_mark_is_found_where_the_letterbox_put_it() -> None:
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[150:200, 100:300] = 255
    placed = letterbox(pixels, (128, 128))
    rows, columns = np.nonzero(placed.pixels[..., 0] > 127)
    found = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)

    back = placed.fractions(found)

    assert back[0] == pytest.approx([0.25, 0.5, 0.75, 2 / 3], abs=0.01)


@given(source=sizes, canvas=sizes)
def test_fit_keeps_the_aspect_to_half_a_pixel(source: Size, canvas: Size) -> None:
    width, height = fit(source, canvas)

    scale = min(canvas[0] / source[0], canvas[1] / source[1])
    assert width == pytest.approx(max(1, source[0] * scale), abs=0.5001)
    assert height == pytest.approx(max(1, source[1] * scale), abs=0.5001)


# --- nms --------------------------------------------------------------------------------

corners = st.floats(-20, 120, width=16)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[Boxes, Boxes, NDArray[np.int64]]:
    """Boxes with widths of at least 1, half of them near to another one; scores often equal."""
    count = draw(st.integers(0, 25))
    low = draw(arrays.arrays(np.float32, (count, 2), elements=corners))
    size = draw(arrays.arrays(np.float32, (count, 2), elements=st.floats(1, 60, width=16)))
    scores = draw(arrays.arrays(np.float32, count, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    classes = draw(arrays.arrays(np.int64, count, elements=st.integers(0, 2)))
    return np.concatenate([low, low + size], axis=1), scores, classes


def plain_nms(xyxy: Boxes, scores: Boxes, classes: NDArray[np.int64], limit: float) -> list[int]:
    """The rule itself, box by box."""
    kept: list[int] = []
    for candidate in sorted(range(len(xyxy)), key=lambda i: (-float(scores[i]), i)):
        rivals = [k for k in kept if classes[k] == classes[candidate]]
        if all(plain_iou(xyxy[k], xyxy[candidate]) <= limit for k in rivals):
            kept.append(candidate)
    return kept


def plain_iou(one: Boxes, other: Boxes) -> float:
    a, b = [float(v) for v in one], [float(v) for v in other]
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


@given(scored_boxes(), st.sampled_from([0.3, 0.45, 0.65]))
def test_nms_is_the_plain_rule(found: tuple[Boxes, Boxes, NDArray[np.int64]], limit: float) -> None:
    xyxy, scores, classes = found
    pairs = [plain_iou(a, b) for i, a in enumerate(xyxy) for b in xyxy[:i]]
    assume(not any(abs(iou - limit) < 1e-4 for iou in pairs))  # within rounding either answer is right

    kept = nms(xyxy, scores, classes=classes, iou=limit)

    assert kept.dtype == np.int64
    assert kept.tolist() == plain_nms(xyxy, scores, classes, limit)


@given(scored_boxes())
def test_nms_keeps_the_best_of_every_class(found: tuple[Boxes, Boxes, NDArray[np.int64]]) -> None:
    xyxy, scores, classes = found

    kept = nms(xyxy, scores, classes=classes, iou=0.5)

    for class_ in set(classes.tolist()):
        of_class = np.flatnonzero(classes == class_)
        assert of_class[np.argmax(scores[of_class])] in kept


# --- crops ------------------------------------------------------------------------------


@given(box=bboxes, image=sizes, margin=st.floats(0, 0.5))
def test_a_square_crop_covers_the_box_and_stays_inside(box: BBox, image: Size, margin: float) -> None:
    square = square_crop_box(box, image, margin=margin)

    assert square.x_min <= box.x_min + 1e-9
    assert square.y_min <= box.y_min + 1e-9
    assert square.x_max >= box.x_max - 1e-9
    assert square.y_max >= box.y_max - 1e-9
    assert 0 <= square.x_min <= square.x_max <= 1 + 1e-9
    assert 0 <= square.y_min <= square.y_max <= 1 + 1e-9


def test_a_square_crop_is_square_in_pixels_with_its_margin() -> None:
    square = square_crop_box(BBox(0.4, 0.4, 0.2, 0.1), (1000, 500), margin=0.1)

    assert square.width * 1000 == pytest.approx(240)
    assert square.height * 500 == pytest.approx(240)
    assert square.x_min == pytest.approx(0.38)


def test_a_square_at_the_edge_is_moved_inside_and_stays_square() -> None:
    square = square_crop_box(BBox(0.0, 0.8, 0.2, 0.2), (100, 100), margin=0.1)

    assert (square.x_min, square.y_max) == pytest.approx((0.0, 1.0))
    assert square.width == pytest.approx(0.24)
    assert square.height == pytest.approx(0.24)


def test_a_square_larger_than_the_picture_is_cut() -> None:
    square = square_crop_box(BBox(0.0, 0.0, 1.0, 0.5), (200, 100), margin=0.1)

    assert square == BBox(0, 0, 1, 1)


@given(box=bboxes, image=sizes)
def test_covered_pixels_are_at_least_one_and_in_the_picture(box: BBox, image: Size) -> None:
    left, top, right, bottom = cover_px(box, image)

    assert 0 <= left < right <= image[0]
    assert 0 <= top < bottom <= image[1]


def test_whole_pixels_are_covered_exactly() -> None:
    assert cover_px(BBox(0.3, 0.1, 0.4, 0.2), (10, 10)) == (3, 1, 7, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 600), (1333, 799)),
        ((2000, 600), (1333, 399)),
        ((600, 900), (800, 1200)),
        ((801, 600), (1068, 800)),
    ],
)
def test_min_max_is_torchvisions_rule(size: Size, expected: Size) -> None:
    # torchvision 0.20, GeneralizedRCNNTransform(800, 1333): worked out by hand from its formula.
    assert fit_min_max(size, shorter=800, longer=1333) == expected


def test_the_middle_is_cut_as_torchvision_does() -> None:
    pixels = np.arange(7 * 10, dtype=np.uint8).reshape(7, 10, 1).repeat(3, axis=2)

    part = centre_part(pixels, (4, 4))

    # (7 - 4) / 2 = 1.5 rounds to the even 2; (10 - 4) / 2 = 3.
    assert part[0, 0, 0] == 23
    assert part.shape == (4, 4, 3)


def test_a_box_in_whole_pixels_is_cut_down() -> None:
    box = whole_pixel_box(BBox(0.119, 0.2, 0.5, 0.299), (100, 10))

    assert cover_px(box, (100, 10)) == (11, 2, 61, 4)


@given(box=bboxes, image=sizes)
def test_a_box_in_whole_pixels_has_at_least_one_and_stays_inside(box: BBox, image: Size) -> None:
    left, top, right, bottom = cover_px(whole_pixel_box(box, image), image)

    assert 0 <= left < right <= image[0]
    assert 0 <= top < bottom <= image[1]


def test_the_strip_leaves_out_the_camera_s_lines() -> None:
    assert cover_px(middle_strip((100, 1000)), (100, 1000)) == (0, 150, 100, 850)
    assert cover_px(middle_strip((100, 4000)), (100, 4000)) == (0, 200, 100, 3800)
