"""What tiles find, what they raise false alarms for and what they cost, on pictures whose animals are known.

The folder holds the fourteen pictures of `docs/accuracy.md`, with `labels.csv`. They are taken as they are,
and once more with every animal farther away: the picture shrunk and put onto the empty one, at places that
borders of tiles cross now and then. That makes small animals whose truth is known; it does not make new ones.

A box is on an animal when their intersection over union is at least 0.3; a further one on it, or one that
lies in it by 0.6, is a double; every other is a false box. CPU is the process's user and system time from
encoded bytes to boxes; ratios are medians of the ratios within a round.

    python benchmarks/tiles.py FOLDER [--threshold 0.25] [--rounds 3]
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from harness import sample, write
from truth import print_table

from okapia.app import build_service
from okapia.cli.logs import configure_logs
from okapia.domain.models import ModelChoice
from okapia.domain.types import BBox, Category, Detection
from okapia.models.base import Detector
from okapia.pipeline.fusion import Fusion
from okapia.pipeline.tiles import Tiled
from okapia.settings import load_settings
from okapia.vision.decode import Picture

ANIMAL_MODEL, COCO_MODEL = "megadetector-lite", "nanodet-coco"
SAME_IOU, PART_COVER = 0.3, 0.6
FARTHER = (1, 2, 4, 6)

# Drawn by eye: x_min, y_min, width, height. Pictures that are not named here show no animal.
_ELEPHANTS = (
    BBox(0.70, 0.48, 0.10, 0.13),
    BBox(0.56, 0.42, 0.06, 0.17),
    BBox(0.94, 0.46, 0.06, 0.18),
    BBox(0.83, 0.47, 0.11, 0.15),
)
ANIMALS: dict[str, tuple[BBox, ...]] = {
    "african_elephants.jpg": _ELEPHANTS,
    "african_elephants_bw.jpg": _ELEPHANTS,
    "american_black_bear.jpg": (BBox(0.42, 0.42, 0.35, 0.35),),
    "domestic_cattle.jpg": (
        BBox(0.385, 0.43, 0.115, 0.16),
        BBox(0.58, 0.365, 0.075, 0.13),
        BBox(0.89, 0.485, 0.11, 0.11),
    ),
    "ena24_2480.jpg": (BBox(0.74, 0.42, 0.19, 0.35),),
    "ena24_2968.jpg": (BBox(0.54, 0.66, 0.26, 0.27),),
    "ena24_4383.jpg": (BBox(0.08, 0.43, 0.33, 0.29),),
    "ena24_5899.jpg": (BBox(0.51, 0.68, 0.08, 0.16), BBox(0.435, 0.435, 0.10, 0.14)),
    "ena24_596.jpg": (BBox(0.32, 0.64, 0.39, 0.17),),
    "ena24_7951.jpg": (BBox(0.24, 0.47, 0.15, 0.19),),
    "ena24_9455.jpg": (
        BBox(0.23, 0.36, 0.09, 0.12),
        BBox(0.27, 0.28, 0.09, 0.09),
        BBox(0.42, 0.34, 0.06, 0.06),
    ),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """An encoded picture and where its animals are."""

    data: bytes
    animals: tuple[BBox, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """What one arm made of pictures: counts.

    Attributes:
        pictures: pictures with animals in which at least one was found.
        alarms: pictures without animals that have an animal's box.
        people_and_vehicles: boxes of the two categories, right or wrong.
    """

    animals: int = 0
    pictures: int = 0
    doubles: int = 0
    false_boxes: int = 0
    alarms: int = 0
    people_and_vehicles: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def as_taken(folder: Path) -> list[tuple[str, bytes]]:
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        return [(row["file"], (folder / row["file"]).read_bytes()) for row in csv.DictReader(file)]


def scenes(pictures: Sequence[tuple[str, bytes]], *, farther: int) -> Iterator[Scene]:
    """Put every animal `farther` times as far away."""
    if farther == 1:
        yield from (Scene(data, ANIMALS.get(name, ())) for name, data in pictures)
        return
    empty = _pixels(dict(pictures)["blank.jpg"])
    for number, (name, data) in enumerate(pictures):
        canvas = empty.copy()
        height, width = (side // farther for side in canvas.shape[:2])
        # Steps of the golden ratio: spread, and the same each time.
        left = round((canvas.shape[1] - width) * (number * 0.618 % 1))
        top = round((canvas.shape[0] - height) * (number * 0.382 % 1))
        shrunk = cv2.resize(_pixels(data), (width, height), interpolation=cv2.INTER_AREA)
        canvas[top : top + height, left : left + width] = shrunk
        corner = (left / canvas.shape[1], top / canvas.shape[0])
        animals = (_moved(box, corner, farther) for box in ANIMALS.get(name, ()))
        encoded = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        yield Scene(encoded, tuple(animals))


def _pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Decode to BGR."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def _moved(box: BBox, corner: tuple[float, float], farther: int) -> BBox:
    return BBox(
        corner[0] + box.x_min / farther,
        corner[1] + box.y_min / farther,
        box.width / farther,
        box.height / farther,
    )


def arms(canvas: int) -> dict[str, Detector]:
    """Ways to look at a picture, by name; the first one is what the others are compared with."""
    models = build_service(load_settings(canvases={ANIMAL_MODEL: canvas})).models
    animals, coco = (models.pipeline(ModelChoice(name, None)).detector for name in (ANIMAL_MODEL, COCO_MODEL))
    return {
        "animal detector": animals,
        "animal detector, tiles": Tiled(animals),
        "both": Fusion(animals=animals, coco=coco),
        "both, tiles for animals": Fusion(animals=Tiled(animals), coco=coco),
        "both, tiles for both": Tiled(Fusion(animals=animals, coco=coco)),
    }


def look(detector: Detector, scene: Scene) -> tuple[Detection, ...]:
    picture = Picture.open(scene.data)
    return detector.detect(picture.pixels(detector.wanted((picture.info.width, picture.info.height))))


def judge(found: Sequence[Detection], truth: Sequence[BBox]) -> Score:
    """Compare the boxes of one picture, most confident first, with its animals."""
    open_animals = list(truth)
    doubles = false_boxes = 0
    boxes = [one.bbox for one in found if one.category is Category.ANIMAL]
    for box in boxes:
        best = max(open_animals, key=box.iou, default=None)
        if best is not None and box.iou(best) >= SAME_IOU:
            open_animals.remove(best)
        elif any(box.iou(animal) >= SAME_IOU or box.covered_by(animal) >= PART_COVER for animal in truth):
            doubles += 1
        else:
            false_boxes += 1
    got = len(truth) - len(open_animals)
    others = sum(one.category in {Category.PERSON, Category.VEHICLE} for one in found)
    return Score(got, int(got > 0), doubles, false_boxes, int(not truth and bool(boxes)), others)


def score(detector: Detector, taken: Sequence[Scene], *, threshold: float) -> Score:
    total = Score()
    for scene in taken:
        found = [one for one in look(detector, scene) if one.confidence >= threshold]
        total += judge(found, scene.animals)
    return total


def cost(
    chosen: dict[str, Detector], taken: Sequence[Scene], *, rounds: int
) -> dict[str, tuple[float, float]]:
    """CPU seconds a picture and how many times those of the first arm; arms take turns."""

    def run(detector: Detector) -> None:
        for scene in taken:
            look(detector, scene)

    samples: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, detector in chosen.items():
            samples[name].append(sample(partial(run, detector), units=len(taken)).cpu_ms / 1000)
    base = next(iter(samples.values()))
    return {
        name: (median(own), median(its / bases for its, bases in zip(own, base, strict=True)))
        for name, own in samples.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threshold", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logs("warning")
    pictures = as_taken(options.folder)
    sets = {farther: list(scenes(pictures, farther=farther)) for farther in FARTHER}
    rows, counts = [], []
    for canvas in (512, 640):
        chosen = arms(canvas)
        spent = cost(chosen, sets[1], rounds=options.rounds)
        for name, detector in chosen.items():
            got = {far: score(detector, taken, threshold=options.threshold) for far, taken in sets.items()}
            cells = (
                f"{one.animals} / {one.doubles} / {one.false_boxes} / {one.alarms}" for one in got.values()
            )
            figures = (f"{spent[name][0]:.2f}", f"{spent[name][1]:.1f}", str(got[1].people_and_vehicles))
            rows.append((str(canvas), name, *figures, *cells))
            counts.append(
                {"canvas": canvas, "arm": name, **{str(far): asdict(one) for far, one in got.items()}}
            )
    distances = (f"{far} times as far" if far > 1 else "as taken" for far in sets)
    print_table(("canvas", "arm", "CPU s", "ratio", "people, vehicles", *distances), rows)
    shown = sum(len(scene.animals) for scene in sets[1])
    without = sum(not scene.animals for scene in sets[1])
    print(
        f"\nanimals found of {shown} / doubles / false boxes / false alarms of {without} pictures without one"
    )
    write("tiles", {"threshold": options.threshold, "rows": [list(row) for row in rows], "counts": counts})


if __name__ == "__main__":
    main()
