"""SpeciesNet's ensemble alone: answers from detections and classifications that were made earlier."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from okapia.cli.speciesnet_steps import Answer, Asked
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Classification, Detection, Failure, Prediction
from okapia.formats.base import Json
from okapia.formats.speciesnet import Entry, Instance, Step, Version
from okapia.formats.speciesnet_files import Predictions, parse_json, predictions_of, read_predictions
from okapia.pipeline.ensemble import TOP, top_detection
from okapia.pipeline.naming import Naming
from okapia.pipeline.run import EVERY_BOX_FROM
from okapia.pipeline.text_files import read_labels


@dataclass(frozen=True, slots=True)
class Evidence:
    """What earlier runs said, by file path."""

    classifications: Mapping[str, Entry]
    detections: Mapping[str, Entry]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The pictures that have scores, with the places that the file gives them."""
        return tuple(entry.instance for entry in self.classifications.values())

    def unknown_to(self, naming: Naming) -> list[Taxon]:
        """The animals among the best classes that a taxonomy lacks; these roll up to nothing."""
        best = {
            seen.taxon
            for entry in self.classifications.values()
            for scores in (entry.classifications or (), *(d.classifications for d in entry.detections or ()))
            for seen in scores[: naming.top_classes]
        }
        lacking = [taxon for taxon in best if taxon.is_animal and taxon.key not in naming.taxonomy]
        return sorted(lacking, key=lambda taxon: taxon.label)


def read_evidence(classifications: Path | None, detections: Path | None, *, labels: Path | None) -> Evidence:
    """Read the files of earlier runs; either may be of the old or the new format.

    Args:
        detections: None when the classifications stand in their boxes already (5.0.6).
        labels: of the classifier, for rows that hold a score for each label and no class names.

    Raises:
        InvalidRequest: a file is missing, not readable or malformed, or a row's scores are not as many as
            the labels.
    """
    if classifications is None:
        raise InvalidRequest(
            "--ensemble-only needs --classifications-json and --detections-json", param="classifications_json"
        )
    scores = _scored(classifications, labels) if labels is not None else read_predictions(classifications)
    boxes = read_predictions(detections) if detections is not None else scores
    if detections is None and not any(entry.detections for entry in scores.entries):
        raise InvalidRequest(
            f"--ensemble-only needs --detections-json: {classifications.name} holds no detections",
            param="detections_json",
        )
    return Evidence(scores.by_filepath(), boxes.by_filepath())


def decided(
    instances: Sequence[Instance], evidence: Evidence, naming: Naming, asked: Asked
) -> Iterator[Answer]:
    """Answer for each picture by SpeciesNet's rules; what one of the files lacks is a failure."""
    for instance in instances:
        scores = evidence.classifications.get(instance.filepath)
        boxes = evidence.detections.get(instance.filepath)
        missing = _missing(scores, boxes)
        version = asked.model_version or (scores.model_version if scores else "")
        if scores is None or boxes is None or boxes.detections is None or missing:
            entry = Entry(
                instance,
                version,
                missing,
                boxes.detections if boxes else None,
                scores.classifications if scores else None,
            )
            yield Answer(entry, _failure(missing))
            continue
        try:
            yield Answer(replace(_entry(instance, scores, boxes, naming, asked), model_version=version))
        except InvalidRequest as error:
            raise InvalidRequest(f"{instance.filepath}: {error}", param=error.param) from error


def _missing(scores: Entry | None, boxes: Entry | None) -> tuple[Step, ...]:
    has_scores = scores is not None and (
        scores.classifications is not None or (scores.detections is not None and not scores.failures)
    )
    has_boxes = boxes is not None and boxes.detections is not None
    steps = ((Step.CLASSIFIER, has_scores), (Step.DETECTOR, has_boxes))
    return tuple(step for step, is_there in steps if not is_there)


def _failure(missing: Sequence[Step]) -> Failure:
    words = {Step.CLASSIFIER: "classifications", Step.DETECTOR: "detections"}
    what = " and ".join(words[step] for step in missing)
    return Failure.of(InvalidRequest(f"expected {what} of this picture, the files have none"))


def _entry(instance: Instance, scores: Entry, boxes: Entry, naming: Naming, asked: Asked) -> Entry:
    """Answer once a picture from scores of the picture, once a box from scores of boxes."""
    fence = naming.fence(asked.where(instance))

    def decide(box: Detection | None, seen: Sequence[Classification]) -> Prediction:
        return naming.decided(box, seen, fence)

    found = boxes.detections or ()
    if scores.classifications is None:
        named = tuple(
            replace(box, prediction=decide(box, box.classifications)) if box.classifications else box
            for box in scores.detections or ()
        )
        return Entry(instance, scores.model_version, detections=named)
    seen = scores.classifications
    top = top_detection(found)
    prediction = decide(top, seen)
    if asked.version is Version.OLD:
        return Entry(instance, scores.model_version, (), found, seen, prediction)
    # Until 5.0.5 the scores were those of the most confident box.
    answered = tuple(
        replace(box, classifications=seen, prediction=prediction)
        if box is top and box.confidence >= EVERY_BOX_FROM
        else box
        for box in found
    )
    return Entry(instance, scores.model_version, detections=answered)


def _scored(file: Path, labels: Path) -> Predictions:
    """Read classifications of which some hold a score for each label, in the labels' order."""
    names = [taxon.label for taxon in read_labels(labels)]
    try:
        document = parse_json(file.read_bytes(), param="classifications_json")
        return predictions_of(_with_classes(document, names, labels.name))
    except OSError as error:
        raise InvalidRequest(
            f"cannot read {file.name}: {error.strerror}", param="classifications_json"
        ) from error
    except InvalidRequest as error:
        raise InvalidRequest(f"{file.name}: {error}", param="classifications_json") from error


def _with_classes(document: object, names: Sequence[str], source: str) -> object:
    """Name the best classes of rows without class names; whatever is malformed is left to the reader."""
    rows = document.get("predictions") if isinstance(document, dict) else None
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        seen = row.get("classifications") if isinstance(row, dict) else None
        if not isinstance(seen, dict) or "classes" in seen or not isinstance(seen.get("scores"), list):
            continue
        row["classifications"] = _named(seen["scores"], names, f"predictions[{number}]", source)
    return document


def _named(scores: list[object], names: Sequence[str], row: str, source: str) -> dict[str, Json]:
    numbers = [float(score) for score in scores if isinstance(score, int | float)]
    if len(numbers) != len(names):
        raise InvalidRequest(
            f"{row}: expected a score for each of the {len(names):,} labels in {source}, got {len(scores):,}",
            param="classifications",
        )
    # NaN compares with nothing: it goes first, so that the reader meets and refuses it.
    order = sorted(range(len(numbers)), key=lambda n: (numbers[n] == numbers[n], -numbers[n]))[:TOP]
    return {"classes": [names[n] for n in order], "scores": [numbers[n] for n in order]}
