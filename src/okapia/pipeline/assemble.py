"""From model names to a pipeline.

`a` is one detector; `a+b` the fusion of two or, when `b` reads faces, a detector of faces and its reader.
"""

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.models.base import Detector
from okapia.models.card import ModelCard
from okapia.models.registry import Registry
from okapia.models.taxa import builtin_taxonomy, class_taxa
from okapia.pipeline.fingerprint import fingerprint, hash_naming
from okapia.pipeline.fusion import Fusion
from okapia.pipeline.genders import FACE, Genders
from okapia.pipeline.naming import Naming, RangeFiles
from okapia.pipeline.run import Pipeline
from okapia.pipeline.tiles import Tiled
from okapia.vision.decode import DecodePolicy


class Assembler:
    """Makes pipelines of the models in one registry; what answers are made with is read once a model.

    Attributes:
        ranges: what is added to what models bring.
    """

    def __init__(self, registry: Registry, *, policy: DecodePolicy, ranges: RangeFiles) -> None:
        self._registry = registry
        self._policy = policy
        self.ranges = ranges
        self._namings: dict[tuple[str, str], Naming] = {}
        self._naming_hashes: dict[tuple[str, str], str] = {}

    def pipeline(self, choice: ModelChoice) -> Pipeline:
        """Make the pipeline that `choice` names; its models are loaded if need be.

        Raises:
            ModelError: a model is unknown, not installed, or cannot be loaded.
            InvalidRequest: more than two models are joined, faces are to be read that the detector does not
                find, or a file of ranges is wrong.
        """
        classifier = self._registry.classifier(choice.classifier) if choice.classifier else None
        naming = self.naming(choice)
        return Pipeline(self._detector(choice), classifier, naming, self._policy)

    def fingerprint(self, choice: ModelChoice) -> str:
        """Hash what answers depend on beside picture and options; raises as `pipeline` does."""
        pipeline = self.pipeline(choice)
        key = _naming_key(self._classifier_card(choice))
        if key not in self._naming_hashes:
            self._naming_hashes[key] = hash_naming(pipeline.naming)
        return fingerprint(pipeline, tiles=choice.tiles, naming=self._naming_hashes[key])

    def naming(self, choice: ModelChoice) -> Naming:
        """Give what the answers of a choice are made with: the classifier's, if there is one.

        Raises:
            ModelError: the classifier is unknown, or its taxonomy cannot be read.
            InvalidRequest: a file of ranges is wrong; the message names it.
        """
        card = self._classifier_card(choice)
        key = _naming_key(card)
        if key not in self._namings:
            self._namings[key] = self._read(card)
        return self._namings[key]

    def _classifier_card(self, choice: ModelChoice) -> ModelCard | None:
        return self._registry.card(choice.classifier) if choice.classifier else None

    def _read(self, card: ModelCard | None) -> Naming:
        if card is None:
            return self.ranges.naming(builtin_taxonomy(), geofence="")
        # The card says it all: answers about taxa need no network in memory.
        taxonomy = class_taxa(card.labels, taxonomy=card.taxonomy).taxonomy
        return self.ranges.naming(taxonomy, geofence=card.geofence, top_classes=card.top_classes)

    def _detector(self, choice: ModelChoice) -> Detector:
        match choice.detector.split("+"):
            case [single]:
                return _tiled(self._registry.detector(single), choice.tiles)
            case [faces, reader] if self._registry.card(reader).task == "face_reader":
                return self._genders(faces, reader, tiles=choice.tiles)
            case [animals, coco]:
                # The COCO network reads people into the info strips of tiles (docs/accuracy.md); and an
                # animal that a person overrules has to be seen whole.
                tiled = _tiled(self._registry.detector(animals), choice.tiles)
                return Fusion(animals=tiled, coco=self._registry.detector(coco))
        raise InvalidRequest(
            f"expected one detector or two joined by '+', got {choice.detector!r}", param="detector"
        )

    def _genders(self, faces: str, reader: str, *, tiles: int) -> Detector:
        if FACE not in self._registry.card(faces).labels:
            raise InvalidRequest(
                f"expected a detector with the label {FACE!r} before {reader}, {faces} has none",
                param="detector",
            )
        detector = _tiled(self._registry.detector(faces), tiles)
        return Genders(faces=detector, reader=self._registry.face_reader(reader))


def _naming_key(card: ModelCard | None) -> tuple[str, str]:
    return (card.id, card.version) if card else ("", "")


def _tiled(detector: Detector, per_side: int) -> Detector:
    return detector if per_side == 1 else Tiled(detector, per_side=per_side)
