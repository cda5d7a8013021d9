"""Which family a network's answer belongs to: told from its shape, then from its values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.weights.own.inspect import NetworkFacts, listed
from okapia.models.weights.own.observe import Observation

COLUMNS_BEFORE_CLASSES: Mapping[str, int] = {"yolox": 5, "yolov5": 5, "yolo": 4, "rtdetr": 4}
"""Columns of a box that are no class: four of its place, and objectness where there is one."""

FAMILIES = ("yolov5", "yolo", "yolo_e2e", "rtdetr", "rtdetr_topk", "yolox", "classifier")
"""What a person can be asked to choose from."""

_PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Strides of the usual heads, of the P6 ones (MegaDetector v5) and of the P2 ones."""

_ANCHORS_A_CELL = 3
"""Of YOLOv3 to v5 and v7; the later ones have one box a cell."""

_OTHER_TASKS = ("segment", "pose", "obb")


@dataclass(frozen=True, slots=True)
class Head:
    """What a network's answer was recognised as.

    Attributes:
        family: "" when it could not be told.
        n_classes: None where the answer does not show it.
        reason: why, for people.
        guess: the likelier family where it could not be told; "" for none.
        is_yolox: one box a cell with objectness: trained as YOLOX is, whoever decodes it.
        strides: of the grid that the boxes lie on; empty where there is none.
    """

    family: str
    n_classes: int | None
    reason: str
    guess: str = ""
    is_yolox: bool = False
    strides: tuple[int, ...] = ()


def read_head(observation: Observation, *, n_labels: int | None) -> Head:
    """Recognise the family of a network by its answer to the test picture.

    Args:
        n_labels: labels that are known of it; they count where the shape alone could mean several things.

    Raises:
        ModelError: it has several outputs, or does something else than finding or naming.
    """
    facts = observation.facts
    if facts.metadata.task in _OTHER_TASKS:
        raise ModelError(
            f"{facts.name} is made for the task {facts.metadata.task}; expected detect or classify"
        )
    if len(observation.outputs) != 1:
        raise ModelError(
            f"{facts.name} has {len(observation.outputs)} outputs ({observation.shapes}), and those of the "
            "families that can be recognised have one; export it again with one, or name its family in a card"
        )
    (output,) = observation.outputs.values()
    if output.ndim == 2 and len(output) == 1 and not _may_be_boxes(output, facts):
        return Head("classifier", output.shape[1], f"its answer {listed(output.shape)} is one score a class")
    if output.ndim == 4 and output.size == max(output.shape):
        return Head("classifier", output.size, f"its answer {listed(output.shape)} is one score a class")
    if output.ndim == 2 or (output.ndim == 3 and len(output) == 1):
        rows = output.reshape(output.shape[-2:])
        return _detector(rows, observation, n_labels=n_labels, shown=listed(output.shape))
    return Head("", None, f"its answer {observation.shapes} is none of those that are known")


def classes_of(family: str, observation: Observation) -> int | None:
    """Count the classes that a network of a known family tells apart; None where its answer does not show it.

    Raises:
        ModelError: the answer has too few columns for the family.
    """
    outputs = list(observation.outputs.values())
    if family == "classifier":
        return outputs[0].size
    if family not in COLUMNS_BEFORE_CLASSES or len(outputs) != 1:
        return None
    columns = outputs[0].shape[-2 if family == "yolo" else -1] if outputs[0].ndim > 1 else 0
    n_classes = columns - COLUMNS_BEFORE_CLASSES[family]
    if n_classes < 1:
        raise ModelError(
            f"{observation.facts.name} answers {observation.shapes}; the family {family} answers "
            f"{_EXPECTED[family]}"
        )
    return int(n_classes)


_EXPECTED = {
    "yolox": "[1, N, 5 + classes]",
    "yolov5": "[1, N, 5 + classes]",
    "yolo": "[1, 4 + classes, N]",
    "rtdetr": "[1, N, 4 + classes]",
}


def _may_be_boxes(output: Tensor, facts: NetworkFacts) -> bool:
    """Say whether one row of two sides may be a box: only where the file leaves the number of rows open."""
    if output.shape[1] != 6 or facts.metadata.task == "classify":
        return False
    declared, taken = facts.outputs[0].shape, facts.inputs[0].shape
    follows_batch = taken is not None and taken[0] is None
    return declared is None or (declared[0] is None and not follows_batch)


def _detector(rows: Tensor, observation: Observation, *, n_labels: int | None, shown: str) -> Head:
    """Recognise a detector by the two sides of its answer."""
    high, wide = rows.shape
    by_grid = _by_grid(rows, observation.canvas, shown=shown)
    if by_grid is not None:
        return by_grid
    if n_labels is not None and wide == 5 + n_labels != 6:
        return Head(
            "yolov5", n_labels, f"its answer {shown} is 5 + {n_labels} columns, for {n_labels} labels"
        )
    if n_labels is not None and high == 4 + n_labels:
        return Head("yolo", n_labels, f"its answer {shown} is 4 + {n_labels} rows, for {n_labels} labels")
    if wide == 6:
        return _six_columns(rows, observation, shown=shown)
    if high > 1 and wide > 4 and _are_fractions(rows[:, :4]):
        reason = f"its answer {shown} is boxes as fractions of the picture, then one score a class"
        return Head("rtdetr", wide - 4, reason)
    guess = "yolov5" if high > wide > 5 else "yolo" if wide > high > 4 else ""
    return Head("", None, f"its answer {shown} fits no grid of {observation.canvas} pixels", guess=guess)


def _by_grid(rows: Tensor, canvas: Size, *, shown: str) -> Head | None:
    """Recognise heads that give a box or three for every cell of their grids."""
    high, wide = rows.shape
    for strides in _PYRAMIDS:
        cells = len(_centres(canvas, strides))
        if wide == cells and 4 < high < wide:
            reason = f"its answer {shown} is 4 + {high - 4} columns turned on their side, one box a cell"
            return Head("yolo", high - 4, reason, strides=strides)
        if high == cells * _ANCHORS_A_CELL and wide > 5:
            reason = f"its answer {shown} is three boxes a cell with objectness and {wide - 5} classes"
            return Head("yolov5", wide - 5, reason, strides=strides)
        if high == cells and wide > 5:
            return _one_box_a_cell(rows, canvas, strides, shown=shown)
    return None


def _one_box_a_cell(rows: Tensor, canvas: Size, strides: tuple[int, ...], *, shown: str) -> Head:
    """Tell a YOLOX head that gives boxes in pixels from one that gives offsets within its cells."""
    n_classes = rows.shape[1] - 5
    centres = _centres(canvas, strides)
    from_cells = np.median(np.abs(rows[:, :2] - centres[:, :2]) / centres[:, 2:])
    from_zero = np.median(np.abs(rows[:, :2]))
    what = f"its answer {shown} is one box a cell with objectness and {n_classes} classes"
    if from_cells < from_zero:
        reason = f"{what}, in pixels of the canvas: YOLOX decoded in the graph"
        return Head("yolov5", n_classes, reason, is_yolox=True, strides=strides)
    if strides != _PYRAMIDS[0]:
        return Head("", None, f"{what}, not decoded, on a grid of strides {strides}", is_yolox=True)
    reason = f"{what}, as offsets within the cells: YOLOX"
    return Head("yolox", n_classes, reason, is_yolox=True, strides=strides)


def _six_columns(rows: Tensor, observation: Observation, *, shown: str) -> Head:
    """Tell lists of finished boxes apart: corners in pixels, or centres as fractions."""
    what = f"its answer {shown} is a list of boxes"
    filled = rows[rows[:, 4] > 0]
    has_classes = bool(np.all(rows[:, 5] == np.round(rows[:, 5])))
    if not has_classes:
        guess = "rtdetr" if _are_fractions(rows[:, :4]) else "yolov5"
        if guess == "rtdetr":
            return Head("rtdetr", 2, f"{what} as fractions of the picture, then two class scores")
        return Head("", None, f"{what} on no known grid", guess=guess)
    if observation.facts.metadata.has_nms or (len(filled) > 0 and not _are_fractions(filled[:, :4])):
        return Head("yolo_e2e", None, f"{what} in pixels with confidence and class, merged in the graph")
    if len(filled) > 0:
        return Head("rtdetr_topk", None, f"{what} as fractions with score and class")
    return Head("", None, f"{what} with confidence and class, empty for the test picture", guess="yolo_e2e")


def _are_fractions(values: Tensor) -> bool:
    return bool(values.size) and bool(values.min() > -0.5) and bool(values.max() < 1.5)


def _centres(canvas: Size, strides: tuple[int, ...]) -> Tensor:
    """(cells, 3) centre x and y in pixels, and stride, of every cell, stride by stride, row by row."""
    grids = []
    for stride in strides:
        y, x = np.mgrid[: canvas[1] // stride, : canvas[0] // stride]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        grids.append(np.concatenate([centres, np.full((len(centres), 1), stride)], axis=1))
    return np.concatenate(grids).astype(np.float32)
