"""One picture from bytes to answer: decode, detect, crop, classify, predict.

This is the only pipeline: a request, a folder and a batch all run it, picture by picture.
"""

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from okapia.domain.errors import BadImage, ModelError
from okapia.domain.taxonomy import Taxonomy
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    Category,
    Classification,
    Detection,
    Failure,
    ImageResult,
    ModelReport,
)
from okapia.models.base import Classifier, Detector
from okapia.pipeline.species import predict
from okapia.vision.decode import DecodePolicy, Picture
from okapia.vision.geometry import square_crop_box

CROP_MARGIN = 0.1
"""Share of the box's longer side added around a crop; the lite classifier was tried with it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Analyses pictures with one detector and, when there is one, one classifier.

    Safe to use from several threads; holds no state of a picture.
    """

    detector: Detector
    classifier: Classifier | None
    taxonomy: Taxonomy
    policy: DecodePolicy

    @property
    def reports(self) -> tuple[ModelReport, ...]:
        """Which networks answer and how each runs here."""
        return (*self.detector.reports, *(self.classifier.reports if self.classifier else ()))

    def warm_up(self) -> None:
        """Run every network once on a grey picture.

        Raises:
            ModelError: a network does not answer.
        """
        grey = np.full((64, 64, 3), 128, dtype=np.uint8)
        self.detector.detect(grey)
        if self.classifier is not None:
            self.classifier.classify([grey])

    def run(self, name: str, data: bytes, options: AnalysisOptions) -> ImageResult:
        """Analyse one picture. A bad picture gives a `Failure`; this never raises for it.

        Args:
            name: what the caller calls the picture; comes back in the result.
            data: the encoded file.
        """
        started = perf_counter()
        try:
            analysis = self._analyse(data, options)
        except (BadImage, ModelError) as error:
            return ImageResult(name, Failure.of(error), perf_counter() - started)
        return ImageResult(name, analysis, perf_counter() - started)

    def _analyse(self, data: bytes, options: AnalysisOptions) -> Analysis:
        picture = Picture.open(data, self.policy)
        detections = self.detector.detect(picture.pixels(self.detector.input_size))
        found = [d for d in detections if d.confidence >= options.threshold]
        named = self._name(picture, found, options)
        # Boxes below the threshold stay as the detector gave them: they cost no classification.
        return Analysis(picture.info, (*named, *detections[len(found) :]))

    def _name(self, picture: Picture, found: list[Detection], options: AnalysisOptions) -> list[Detection]:
        """Classify the animals among the found boxes and say what every box holds."""
        scores = self._classify(picture, found) if options.classify else {}
        return [
            replace(
                d, classifications=scores.get(d, ()), prediction=predict(d, scores.get(d, ()), self.taxonomy)
            )
            for d in found
        ]

    def _classify(
        self, picture: Picture, found: list[Detection]
    ) -> dict[Detection, tuple[Classification, ...]]:
        animals = [d for d in found if d.category is Category.ANIMAL]
        if self.classifier is None or not animals:
            return {}
        side = max(self.classifier.input_size)
        size = (picture.info.width, picture.info.height)
        boxes = [square_crop_box(animal.bbox, size, margin=CROP_MARGIN) for animal in animals]
        crops = [picture.crop(box, side=side) for box in boxes]
        return dict(zip(animals, self.classifier.classify(crops), strict=True))
