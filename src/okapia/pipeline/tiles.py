"""Small animals: one detector looks at the whole picture and at overlapping tiles of it.

A tile fills the network's canvas, so an animal is larger there. It is also seen several times, and the
borders of tiles cut it: what follows makes one box of that. The limits only decide which boxes show
the same thing; no box goes for being weak.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelReport
from okapia.domain.types import BBox, Category, Detection, Size
from okapia.models.base import Detector
from okapia.vision.geometry import cover_px
from okapia.vision.resample import Pixels

OVERLAP = 0.2
"""Share of a tile's side that its neighbour sees too: an animal up to that size is whole in one of them."""
LEAST_GAIN = 1.25
"""Tiles that would show a picture less than this much larger are not worth their time."""
SAME_IOU = 0.45
"""Above it two boxes of one kind show the same thing; the limit of `fusion`."""
PART_COVER = 0.6
"""A cut box of which this share lies in a better one shows a part of the same thing."""
SURE = 0.1
"""An uncut box of at least this confidence explains parts that are surer than itself, and parts of at
least this are joined. Below, boxes are mostly noise, and one around half the picture would swallow
the animals in it."""
SAME_STRIP_IOU = 0.5
"""Two parts are one animal when their boxes agree this far on the strip that both tiles show."""
EDGE = 0.03
"""A box this close to a border of its tile, in sides of the tile, is cut: boxes end a few pixels early.
On 14 pictures (22 animals, MegadetectorLite) 0 left 12 doubles, and 0.01 to 0.05 left two."""

MAX_DETECTIONS = 300
"""Boxes kept of one picture: what the cards' detectors keep of one look."""

_WHOLE = BBox(0.0, 0.0, 1.0, 1.0)
_NOISE = 1e-9


class Tiled:
    """A detector that sees small animals too, for the price of up to `per_side` squared further looks.

    A tile is never enlarged to fill the canvas: pictures that exceed it little get fewer tiles or none.
    """

    def __init__(self, detector: Detector, *, per_side: int = 2, overlap: float = OVERLAP) -> None:
        """Decorate `detector`.

        Args:
            per_side: tiles along each side of the picture, 2 to 4.
            overlap: share of a tile's side that its neighbour sees too, 0.05 to 0.5.

        Raises:
            InvalidRequest: one of them is out of range.
        """
        if not 2 <= per_side <= 4:
            raise InvalidRequest(f"expected 2 to 4 tiles a side, got {per_side}", param="tiles")
        if not 0.05 <= overlap <= 0.5:
            raise InvalidRequest(
                f"expected tiles to overlap by 0.05 to 0.5, got {overlap:g}", param="overlap"
            )
        self._detector = detector
        self._per_side = per_side
        self._overlap = overlap
        self.reports: tuple[ModelReport, ...] = detector.reports

    def wanted(self, picture: Size) -> Size:
        """Say how large the picture should be decoded, so that a tile has the pixels that one look takes."""
        width, height = self._detector.wanted(picture)
        side = self._side(picture)
        return ceil(width / side - _NOISE), ceil(height / side - _NOISE)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        whole = self._detector.detect(pixels)
        tiles = self._tiles((pixels.shape[1], pixels.shape[0]))
        if not tiles:
            return whole
        looks = (found for tile in tiles for found in self._look(pixels, tile))
        return merge([*(Seen(one, _WHOLE) for one in whole), *looks])

    def _side(self, picture: Size) -> float:
        """Side of a tile as a share of the picture's; 1 where tiles are not worth it."""
        wanted = self._detector.wanted(picture)
        # Of a tile of this share the network takes every pixel; it would enlarge a smaller one.
        sharpest = max(wanted[0] / picture[0], wanted[1] / picture[1])
        side = max(sharpest, 1 / (self._per_side - (self._per_side - 1) * self._overlap))
        return side if side * LEAST_GAIN <= 1 else 1.0

    def _tiles(self, picture: Size) -> list[BBox]:
        """Tiles of whole pixels, row by row; no more than their size and overlap ask for."""
        side = self._side(picture)
        if side == 1:
            return []
        needed = ceil((1 - side * self._overlap) / (side * (1 - self._overlap)))
        count = min(self._per_side, needed)
        columns, rows = (_spans(length, ceil(length * side), count) for length in picture)
        return [
            BBox.from_corners(left, top, right, bottom) for top, bottom in rows for left, right in columns
        ]

    def _look(self, pixels: Pixels, tile: BBox) -> list["Seen"]:
        left, top, right, bottom = cover_px(tile, (pixels.shape[1], pixels.shape[0]))
        found = self._detector.detect(np.ascontiguousarray(pixels[top:bottom, left:right]))
        return [Seen(replace(one, bbox=_on_picture(one.bbox, tile)), tile) for one in found]


@dataclass(frozen=True, slots=True)
class Seen:
    """A box, in fractions of the picture, and the part of the picture in which it was found."""

    detection: Detection
    view: BBox

    @property
    def is_cut(self) -> bool:
        """Whether it touches a border of its view that is not the picture's own."""
        box, view = self.detection.bbox, self.view
        margin_x, margin_y = EDGE * view.width, EDGE * view.height
        return (
            (view.x_min > _NOISE and box.x_min < view.x_min + margin_x)
            or (view.y_min > _NOISE and box.y_min < view.y_min + margin_y)
            or (view.x_max < 1 - _NOISE and box.x_max > view.x_max - margin_x)
            or (view.y_max < 1 - _NOISE and box.y_max > view.y_max - margin_y)
        )

    @property
    def kind(self) -> str:
        """What may be the same thing: the category, and the label of what has none."""
        found = self.detection
        return f"{found.category} {found.label}" if found.category is Category.OTHER else found.category


def merge(seen: Iterable[Seen]) -> tuple[Detection, ...]:
    """Make one box of each thing that several views show, most confident first.

    No two boxes of one kind overlap by more than `SAME_IOU`. A box that explains a surer part takes
    over the part's confidence: the thing is as sure as what was seen of it.
    """
    alike: dict[str, list[Seen]] = {}
    for one in seen:
        alike.setdefault(one.kind, []).append(one)
    found = [one.detection for group in alike.values() for one in _settled(_joined(_unexplained(group)))]
    return tuple(sorted(found, key=lambda d: d.confidence, reverse=True)[:MAX_DETECTIONS])


def _unexplained(alike: list[Seen]) -> list[Seen]:
    """Leave out what an uncut box explains; parts do not yet explain each other: they may belong together."""
    boxes = _Boxes(alike)
    parts = []
    for place, one in enumerate(boxes.ordered):
        if boxes.absorbed(place):
            continue
        if one.is_cut:
            parts.append(one)
        else:
            boxes.keep(place)
    return [*boxes.kept(), *parts]


def _settled(alike: list[Seen]) -> list[Seen]:
    """Leave out what a better box explains."""
    boxes = _Boxes(alike)
    for place in range(len(boxes.ordered)):
        if not boxes.absorbed(place):
            boxes.keep(place)
    return boxes.kept()


class _Boxes:
    """Boxes of one kind as arrays, for a busy picture has more than a thousand.

    Attributes:
        ordered: uncut ones first, then the more confident.
    """

    def __init__(self, alike: list[Seen]) -> None:
        self.ordered = sorted(alike, key=lambda one: (one.is_cut, -one.detection.confidence))
        boxes = [one.detection.bbox for one in self.ordered]
        self._low = np.array([[b.x_min for b in boxes], [b.y_min for b in boxes]])
        self._high = np.array([[b.x_max for b in boxes], [b.y_max for b in boxes]])
        self._areas = np.array([b.area for b in boxes])
        self._confidence = np.array([one.detection.confidence for one in self.ordered])
        self._is_cut = np.array([one.is_cut for one in self.ordered], dtype=bool)
        self._is_kept = np.zeros(len(boxes), dtype=bool)

    def keep(self, place: int) -> None:
        self._is_kept[place] = True

    def kept(self) -> list[Seen]:
        return [
            _as_sure_as(self.ordered[place], float(self._confidence[place]))
            for place in np.flatnonzero(self._is_kept)
        ]

    def absorbed(self, place: int) -> bool:
        """Whether a kept box shows the same and more; the one that fits best becomes as sure."""
        shared = self._shared(place)
        union = self._areas[:place] + self._areas[place] - shared
        iou = np.divide(shared, union, out=np.zeros(place), where=union > 0)
        same = iou > SAME_IOU
        if self._is_cut[place]:
            same |= self._is_better(place) & (shared > PART_COVER * self._areas[place])
        same &= self._is_kept[:place]
        if not same.any():
            return False
        best = np.where(same, iou, -1.0).argmax()
        self._confidence[best] = max(self._confidence[best], self._confidence[place])
        return True

    def _is_better(self, place: int) -> NDArray[np.bool_]:
        """Which earlier boxes may explain a part: uncut ones that are no noise, and surer ones."""
        earlier = self._confidence[:place]
        better: NDArray[np.bool_] = earlier >= self._confidence[place]
        better |= ~self._is_cut[:place] & (earlier >= SURE)
        return better

    def _shared(self, place: int) -> NDArray[np.float64]:
        """Areas that a box shares with each earlier one."""
        low = np.maximum(self._low[:, :place], self._low[:, place : place + 1])
        high = np.minimum(self._high[:, :place], self._high[:, place : place + 1])
        width, height = np.maximum(high - low, 0.0)
        shared: NDArray[np.float64] = width * height
        return shared


def _joined(alike: list[Seen]) -> list[Seen]:
    """Join the parts of things that no view shows whole, border by border."""
    joined: list[Seen] = []
    for one in alike:
        if one.is_cut and one.detection.confidence >= SURE:
            _add_joined(one, joined)
    return [*(one for one in alike if not one.is_cut or one.detection.confidence < SURE), *joined]


def _add_joined(part: Seen, joined: list[Seen]) -> None:
    """Append `part`, together with all that it continues."""
    while rest := next((other for other in joined if _continues(part, other)), None):
        joined.remove(rest)
        surer = max(part, rest, key=lambda one: one.detection.confidence)
        bbox = _around(part.detection.bbox, rest.detection.bbox)
        part = Seen(replace(surer.detection, bbox=bbox), _around(part.view, rest.view))
    joined.append(part)


def _continues(part: Seen, other: Seen) -> bool:
    """Decide whether two boxes, cut by different views, agree on the strip that both views show."""
    if part.view == other.view or not (part.is_cut and other.is_cut):
        return False
    strip = _common(part.view, other.view)
    return _common(part.detection.bbox, strip).iou(_common(other.detection.bbox, strip)) >= SAME_STRIP_IOU


def _spans(length: int, tile: int, count: int) -> list[tuple[float, float]]:
    """Ends of up to `count` tiles of `tile` pixels along a side of `length`, in fractions of it."""
    starts = sorted({round(place * (length - tile) / (count - 1)) for place in range(count)})
    return [(start / length, (start + tile) / length) for start in starts]


def _on_picture(box: BBox, tile: BBox) -> BBox:
    """Map fractions of a tile to fractions of the picture."""
    return BBox.from_corners(
        tile.x_min + box.x_min * tile.width,
        tile.y_min + box.y_min * tile.height,
        tile.x_min + box.x_max * tile.width,
        tile.y_min + box.y_max * tile.height,
    )


def _around(one: BBox, other: BBox) -> BBox:
    return BBox.from_corners(
        min(one.x_min, other.x_min),
        min(one.y_min, other.y_min),
        max(one.x_max, other.x_max),
        max(one.y_max, other.y_max),
    )


def _common(one: BBox, other: BBox) -> BBox:
    """Give what two boxes share; a box without area when nothing."""
    return BBox.from_corners(
        max(one.x_min, other.x_min),
        max(one.y_min, other.y_min),
        min(one.x_max, other.x_max),
        min(one.y_max, other.y_max),
    )


def _as_sure_as(seen: Seen, confidence: float) -> Seen:
    return replace(seen, detection=replace(seen.detection, confidence=confidence))
