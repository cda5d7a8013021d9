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


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Analyses pictures with one detector and, when there is one, one classifier.

    Attributes:
        taxonomy: what a detector's own species are looked up in when there is no classifier.

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
        wanted = self.detector.wanted((picture.info.width, picture.info.height))
        detections = self.detector.detect(picture.pixels(wanted))
        found = [d for d in detections if d.confidence >= options.threshold]
        named = self._name(picture, found, options)
        # Boxes below the threshold stay as the detector gave them: they cost no classification.
        return Analysis(picture.info, (*named, *detections[len(found) :]))

    def _name(self, picture: Picture, found: list[Detection], options: AnalysisOptions) -> list[Detection]:
        """Classify the animals among the found boxes and say what every box holds."""
        scores = self._classify(picture, found) if options.classify else {}
        return [self._named(d, scores.get(d, ())) for d in found]

    def _named(self, detection: Detection, scores: tuple[Classification, ...]) -> Detection:
        """Say what one box holds; a detector that names species itself has put them there."""
        scores = scores or detection.classifications
        return replace(
            detection, classifications=scores, prediction=predict(detection, scores, self.taxonomy)
        )

    def _classify(
        self, picture: Picture, found: list[Detection]
    ) -> dict[Detection, tuple[Classification, ...]]:
        animals = [d for d in found if d.category is Category.ANIMAL]
        if self.classifier is None or not animals:
            return {}
        size = (picture.info.width, picture.info.height)
        regions = {animal: self.classifier.region(animal.bbox, size) for animal in animals}
        # Classifiers of whole pictures look at one region for all animals.
        distinct = list(dict.fromkeys(regions.values()))
        crops = [picture.crop(region, side=self.classifier.crop_side) for region in distinct]
        answers = dict(zip(distinct, self.classifier.classify(crops), strict=True))
        return {animal: answers[region] for animal, region in regions.items()}
