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
    detector = _detector(registry, choice.detector)
    if choice.tiles > 1:
        detector = Tiled(detector, per_side=choice.tiles)
    return Pipeline(detector, classifier, taxonomy, policy)


def _detector(registry: Registry, name: str) -> Detector:
    match name.split("+"):
        case [single]:
            return registry.detector(single)
        case [animals, coco]:
            return Fusion(animals=registry.detector(animals), coco=registry.detector(coco))
    raise InvalidRequest(f"expected one detector or two joined by '+', got {name!r}", param="detector")
