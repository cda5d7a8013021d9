"""What a model is to the rest of Okapia: pixels in, detections, classifications or guesses about faces out.

This file holds the interfaces only. Families (`yolox`, `yolov5`, `classifier` …) implement them
on top of a `Session`, the one thing an inference engine has to offer (`runtime`).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from okapia.domain.models import ModelReport
from okapia.domain.taxonomy import Taxonomy
from okapia.domain.types import BBox, Classification, Detection, Gender, Size
from okapia.vision.resample import Pixels

Tensor = NDArray[np.float32]

CONFIDENCE_FLOOR = 0.01
"""Networks run once with this least confidence; what a caller asks for is a view (decision 0015)."""


class Session(Protocol):
    """A network loaded into an engine. Safe to call from several threads at once."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the single input; None where an axis is open; the first axis is the number of rows."""
        ...

    @property
    def engine(self) -> str:
        """Name and version of the engine, e.g. `onnxruntime 1.31.1`."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, e.g. `cpu` or `cuda:0`, as the engine itself reports it."""
        ...

    @property
    def precision(self) -> str:
        """What it computes in, e.g. `f32` or `bf16`, as the engine itself reports it."""
        ...

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        """Run the network on (N, ...) float32 rows; the outputs by name, N rows each.

        The answer to a single row may lack the axis of the rows.

        Raises:
            ModelError: the engine refuses the input or fails.
        """
        ...


class Model(Protocol):
    """What detectors and classifiers have in common."""

    @property
    def reports(self) -> tuple[ModelReport, ...]:
        """Which networks answer and how each runs here; more than one when models are fused."""
        ...


@runtime_checkable
class Detector(Model, Protocol):
    """Finds boxes."""

    def wanted(self, picture: Size) -> Size:
        """Say how large an upright picture of this size should be decoded, at least."""
        ...

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        """Find boxes of at least `CONFIDENCE_FLOOR`, most confident first.

        Raises:
            ModelError: the network fails or answers with NaN.
        """
        ...


@runtime_checkable
class Classifier(Model, Protocol):
    """Names what is in a crop."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxa that it can answer with, and what is above them."""
        ...

    @property
    def crop_side(self) -> int:
        """Pixels of a crop's longer side beyond which the network sees no more."""
        ...

    def region(self, bbox: BBox, picture: Size) -> BBox:
        """Give the part of an upright picture of this size that it looks at for one box."""
        ...

    def classify(self, crops: Sequence[Pixels]) -> list[tuple[Classification, ...]]:
        """Give the taxa seen in each crop, best first; one tuple a crop, in order.

        A crop that shows no class of the classifier's taxonomy gives an empty tuple.

        Raises:
            ModelError: the network fails or answers with NaN.
        """
        ...


@runtime_checkable
class FaceReader(Model, Protocol):
    """Guesses from the looks of faces; it cannot tell whose they are."""

    def region(self, bbox: BBox, picture: Size) -> BBox:
        """Give the part of an upright picture of this size that it looks at for one face."""
        ...

    def read(self, faces: Sequence[Pixels]) -> list[Gender]:
        """Give a guess for each face, in order.

        Raises:
            ModelError: the network fails or answers with NaN.
        """
        ...
