"""From model names to a pipeline: `a` is one detector, `a+b` the fusion of two."""

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import ModelChoice
from okapia.models.base import Detector
from okapia.models.registry import Registry
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.fusion import Fusion
from okapia.pipeline.run import Pipeline
from okapia.pipeline.tiles import Tiled
from okapia.vision.decode import DecodePolicy


def assemble(registry: Registry, choice: ModelChoice, policy: DecodePolicy) -> Pipeline:
    """Make the pipeline that `choice` names; its models are loaded if need be.

    Raises:
        ModelError: a model is unknown, not installed, or cannot be loaded.
        InvalidRequest: more than two detectors are joined.
    """
    classifier = registry.classifier(choice.classifier) if choice.classifier else None
    taxonomy = classifier.taxonomy if classifier else builtin_taxonomy()
    return Pipeline(_detector(registry, choice), classifier, taxonomy, policy)


def _detector(registry: Registry, choice: ModelChoice) -> Detector:
    match choice.detector.split("+"):
        case [single]:
            return _tiled(registry.detector(single), choice.tiles)
        case [animals, coco]:
            # The COCO network reads people into the info strips of tiles (docs/accuracy.md); and an animal
            # that a person overrules has to be seen whole.
            tiled = _tiled(registry.detector(animals), choice.tiles)
            return Fusion(animals=tiled, coco=registry.detector(coco))
    raise InvalidRequest(
        f"expected one detector or two joined by '+', got {choice.detector!r}", param="detector"
    )


def _tiled(detector: Detector, per_side: int) -> Detector:
    return detector if per_side == 1 else Tiled(detector, per_side=per_side)
