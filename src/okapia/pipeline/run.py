"""One picture from bytes to answer: decode, detect, crop, classify, decide.

This is the only pipeline: a request, a folder and a batch all run it, picture by picture; and a clip's frames
are pictures to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from okapia.domain.errors import BadImage, ClipNotAskedFor, InvalidRequest, ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    BBox,
    Category,
    Classification,
    Crops,
    Detection,
    Failure,
    ImageResult,
    Size,
)
from okapia.models.base import Classifier, Detector
from okapia.pipeline.clip import watch
from okapia.pipeline.ensemble import top_detection
from okapia.pipeline.geofence import Fence
from okapia.pipeline.naming import Naming
from okapia.pipeline.neighbours import smooth_picture
from okapia.vision.decode import DecodePolicy, Picture
from okapia.vision.video import Frame, clip_format

Scores = tuple[Classification, ...]

EVERY_BOX_FROM = 0.1
"""Least confidence of a box that SpeciesNet 5.0.6 classifies."""

Scene = Picture | Frame

_WHOLE = BBox(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Analyses pictures with one detector and, when there is one, one classifier.

    Safe to use from several threads; holds no state of a picture.
    """

    detector: Detector
    classifier: Classifier | None
    naming: Naming
    policy: DecodePolicy

    @property
    def reports(self) -> tuple[ModelReport, ...]:
        """Which networks answer and how each runs here."""
        return (*self.detector.reports, *(self.classifier.reports if self.classifier else ()))

    def in_haste(self) -> "Pipeline":
        """Give the same pipeline for pictures that somebody waits for (`DecodePolicy.in_haste`)."""
        return replace(self, policy=self.policy.in_haste())

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
        """Analyse one picture or clip. A bad one gives a `Failure`; this never raises for it.

        Args:
            name: what the caller calls the picture; comes back in the result.
            data: the encoded file.

        Raises:
            ServerBusy: there is no room in memory for it now, and the policy refuses then.
            OutputNotWritable: a clip has no room in the temporary folder.
        """
        started = perf_counter()
        try:
            analysis = self._analyse(data, options)
        except (BadImage, ModelError, InvalidRequest) as error:
            return ImageResult(name, Failure.of(error), perf_counter() - started)
        return ImageResult(name, analysis, perf_counter() - started)

    def _analyse(self, data: bytes, options: AnalysisOptions) -> Analysis:
        if clip_format(data):
            if options.frames is None:
                raise ClipNotAskedFor(n_bytes=len(data))
            return watch(data, options.frames, self.policy, partial(self._look, options=options))
        picture = Picture.open(data, self.policy)
        with picture.in_memory():
            return self._look(picture, options)

    def _look(self, picture: Scene, options: AnalysisOptions) -> Analysis:
        wanted = self.detector.wanted((picture.info.width, picture.info.height))
        detections = self.detector.detect(picture.pixels(wanted))
        fence = self.naming.fence(options.where)
        match options.crops:
            case Crops.ANIMALS:
                return self._animals(picture, detections, options, fence)
            case Crops.TOP_BOX:
                return self._top_box(picture, detections, options, fence)
            case Crops.EVERY_BOX:
                return self._every_box(picture, detections, options, fence)

    def _animals(
        self,
        picture: Scene,
        detections: tuple[Detection, ...],
        options: AnalysisOptions,
        fence: Fence,
    ) -> Analysis:
        """Classify the found animals and say what every found box holds."""
        found = [d for d in detections if d.confidence >= options.threshold]
        animals = [d for d in found if d.category is Category.ANIMAL] if options.classify else []
        scores = dict(zip(animals, self._classify(picture, [a.bbox for a in animals]), strict=True))
        # A detector that names species itself has put them into its boxes.
        seen = [replace(d, classifications=scores.get(d) or d.classifications) for d in found]
        named = [replace(d, prediction=self.naming.found(d, d.classifications, fence)) for d in seen]
        # Boxes below the threshold stay as the detector gave them: they cost no classification.
        return Analysis(
            picture.info, (*smooth_picture(named, options.smooth, fence), *detections[len(found) :])
        )

    def _top_box(
        self,
        picture: Scene,
        detections: tuple[Detection, ...],
        options: AnalysisOptions,
        fence: Fence,
    ) -> Analysis:
        """Answer once a picture, as SpeciesNet did until 5.0.5."""
        if not options.classify or self.classifier is None:
            return Analysis(picture.info, detections)
        top = top_detection(d for d in detections if d.category is not Category.OTHER)
        (scores,) = self._classify(picture, [top.bbox if top else _WHOLE])
        return Analysis(picture.info, detections, self.naming.decided(top, scores, fence), scores)

    def _every_box(
        self,
        picture: Scene,
        detections: tuple[Detection, ...],
        options: AnalysisOptions,
        fence: Fence,
    ) -> Analysis:
        """Answer once a box, as SpeciesNet does from 5.0.6."""
        if not options.classify or self.classifier is None:
            return Analysis(picture.info, detections)
        boxes = [d for d in detections if d.confidence >= EVERY_BOX_FROM and d.category is not Category.OTHER]
        scores = self._classify(picture, [box.bbox for box in boxes])
        decided = [
            replace(box, classifications=s, prediction=self.naming.decided(box, s, fence))
            for box, s in zip(boxes, scores, strict=True)
        ]
        answers = dict(zip(boxes, decided, strict=True))
        return Analysis(picture.info, tuple(answers.get(d, d) for d in detections))

    def _classify(self, picture: Scene, boxes: Sequence[BBox]) -> list[Scores]:
        """Give the scores of each box's part of the picture; nothing for each without a classifier."""
        if self.classifier is None or not boxes:
            return [()] * len(boxes)
        size: Size = (picture.info.width, picture.info.height)
        regions = [self.classifier.region(box, size) for box in boxes]
        # Classifiers of whole pictures look at one region for all boxes.
        distinct = list(dict.fromkeys(regions))
        crops = [picture.crop(region, side=self.classifier.crop_side) for region in distinct]
        answers = dict(zip(distinct, self.classifier.classify(crops), strict=True))
        return [answers[region] for region in regions]
