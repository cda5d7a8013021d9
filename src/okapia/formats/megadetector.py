"""MegaDetector's batch results, format 1.6: the file that the field's programs exchange.

The rules are those of the format's own document of 2026-05-26; `megadetector_rules` checks
them. Written here: `info` first, so that a reader of a large file meets it first.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from okapia.domain.clips import VIDEO_SUFFIXES
from okapia.domain.sightings import Sighting, sightings
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Analysis, BBox, Category, Detection, Failure, ImageResult
from okapia.formats.base import Format, Json, ResultWriter, RunInfo, Writing
from okapia.formats.pending import PendingFile

FORMAT_VERSION = "1.6"

CATEGORY_IDS = {Category.ANIMAL: "1", Category.PERSON: "2", Category.VEHICLE: "3"}
"""MegaDetector's ids. `Category.OTHER` has none, and such boxes are not written."""

_UNIT = 10_000  # four digits, as usual in the format

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class MegaDetectorWriter:
    """A `ResultWriter` of format 1.6.

    Images go to a file beside the target as they come; `finish` puts head and images together.
    Confidences and scores are cut, not rounded, to four digits, so that a box is above a
    threshold of at most four digits in the file exactly when it was in the run.

    An image's name is written as it is, but JSON is UTF-8 and file names need not be: a byte
    that is no UTF-8 is written `%` and two hexadecimal digits.

    Args:
        keep_above: least confidence, 0..1, of a box that is written.
        top_k: most classes written for a box, the answer among them; None for all.

    Raises:
        OutputNotWritable: the target's folder cannot be written; before any image is analysed.
    """

    def __init__(self, target: Path, *, keep_above: float, top_k: int | None = None) -> None:
        self._keep_above = keep_above
        self._top_k = top_k
        self._class_ids: dict[Taxon, str] = {}
        self._separator = b"\n"
        with ExitStack() as opened:
            self._whole = opened.enter_context(PendingFile(target))
            self._body = opened.enter_context(PendingFile(target))
            self._files = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._files.close()

    def add(self, result: ImageResult) -> None:
        """Write the next image."""
        self._body.write(self._separator + orjson.dumps(self._image(result)))
        self._separator = b",\n"

    def finish(self, info: RunInfo, *, target: Path | None = None) -> None:
        """Put the whole file in its place, or in that of `target` in the same folder."""
        head = orjson.dumps(valid(self._head(info)), option=orjson.OPT_INDENT_2)
        self._whole.write(head.removesuffix(b"\n}") + b',\n  "images": [')
        self._whole.write_from(self._body)
        self._whole.write(b"\n  ]\n}\n")
        self._whole.commit(instead=target)

    def _image(self, result: ImageResult) -> dict[str, Json]:
        about: dict[str, Json] = {"file": as_utf8(result.name)}
        if result.meta is not None:
            about["meta"] = as_utf8(result.meta)
        match result.outcome:
            case Failure(code, message):
                reason = as_utf8(f"{code}: {message}")
                return {**about, **_failed_facts(result.name), "failure": reason, "detections": None}
            case Analysis() as analysis:
                facts = {**about, **_facts(analysis), "detections": self._detections(analysis)}
                return {**facts, "sightings": self._sightings(analysis)} if analysis.image.clip else facts

    def _detections(self, analysis: Analysis) -> list[Json]:
        kept = [
            detection
            for detection in analysis.detections
            if detection.confidence >= self._keep_above and detection.category in CATEGORY_IDS
        ]
        kept.sort(key=lambda detection: -detection.confidence)
        return [self._detection(detection) for detection in kept]

    def _detection(self, detection: Detection) -> dict[str, Json]:
        written: dict[str, Json] = {
            "category": CATEGORY_IDS[detection.category],
            "conf": cut(detection.confidence),
            "bbox": _bbox(detection.bbox),
        }
        if detection.frame is not None:
            written["frame_number"] = detection.frame
        if classifications := self._classifications(detection):
            written["classifications"] = classifications
        return written

    def _sightings(self, analysis: Analysis) -> list[Json]:
        """Give the summary of a clip; a field of ours."""
        found = (box for box in analysis.detections if box.prediction and box.category in CATEGORY_IDS)
        return [self._sighting(sighting) for sighting in sightings(found)]

    def _sighting(self, sighting: Sighting) -> dict[str, Json]:
        written: dict[str, Json] = {
            "category": CATEGORY_IDS[sighting.category],
            "frames": sighting.frames,
            "best_frame": sighting.best.frame,
            "best_conf": cut(sighting.best.confidence),
        }
        if sighting.taxon and sighting.best.classifications:
            written["classification"] = self._class_id(sighting.taxon)
        return written

    def _classifications(self, detection: Detection) -> list[Json]:
        """Give the final answer, then the classes that scored no higher.

        Readers take the first as the answer and rely on a falling order. A class that scored
        higher was overruled (as when "animal" is all that is certain enough) and is left out.
        A box that no classifier saw gets none: its category says it all.
        """
        if not detection.classifications:
            return []
        ranked = [(c.taxon, c.score) for c in detection.classifications]
        ranked.sort(key=lambda pair: -pair[1])
        if answer := detection.prediction:
            others = [p for p in ranked if p[1] <= answer.score and p[0] != answer.taxon]
            ranked = [(answer.taxon, answer.score), *others]
        return [[self._class_id(taxon), cut(score)] for taxon, score in ranked[: self._top_k]]

    def _class_id(self, taxon: Taxon) -> str:
        return self._class_ids.setdefault(taxon, str(len(self._class_ids) + 1))

    def _head(self, info: RunInfo) -> dict[str, Json]:
        head: dict[str, Json] = {
            "info": _info(info),
            "detection_categories": {id_: category.value for category, id_ in CATEGORY_IDS.items()},
        }
        if info.classifier or self._class_ids:
            named = self._class_ids.items()
            head["classification_categories"] = {
                id_: taxon.common_name or taxon.scientific_name or "unnamed" for taxon, id_ in named
            }
            head["classification_category_descriptions"] = {id_: taxon.label for taxon, id_ in named}
        return head


def _writer(target: Path, writing: Writing) -> ResultWriter:
    return MegaDetectorWriter(target, keep_above=writing.keep_above, top_k=writing.top_k)


result_format = Format(
    "megadetector", "MegaDetector batch results 1.6, document of 2026-05-26", ".json", _writer
)


def as_utf8(text: str) -> str:
    """Replace what JSON cannot carry: the surrogate of a stray byte FF (PEP 383) becomes `%FF`.

    Unpaired surrogates of Windows' names become `%u` and four digits.
    """
    return text if text.isascii() else _LONE_SURROGATE.sub(lambda match: _escape(ord(match[0])), text)


def valid(value: Json) -> Json:
    """Copy `value` with every text fit for UTF-8; manifests hold folder names."""
    if isinstance(value, str):
        return as_utf8(value)
    if isinstance(value, Mapping):
        return {as_utf8(key): valid(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [valid(item) for item in value]
    return value


def cut(value: float) -> float:
    """Cut a number of 0..1 to four digits, downwards."""
    # The small term undoes binary fractions: 0.57 * 10000 is 5699.999999999999.
    return int(min(max(value, 0.0), 1.0) * _UNIT + 1e-6) / _UNIT


def _escape(code: int) -> str:
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"%u{code:04X}"


def _facts(analysis: Analysis) -> dict[str, Json]:
    image = analysis.image
    facts: dict[str, Json] = {"width": image.width, "height": image.height}
    if taken := image.capture.captured_at:
        facts["datetime"] = taken.isoformat(" ", "seconds").replace("-", ":")
    if image.is_damaged:
        facts["decoded_fraction"] = cut(image.decoded_fraction)
    if clip := image.clip:
        facts |= {"frame_rate": clip.frame_rate, "frames_processed": clip.frames}
    return facts


def _failed_facts(name: str) -> dict[str, Json]:
    """Give what the format wants of every video file, told by its name; the rate below 0 says "failed"."""
    if name.lower().endswith(VIDEO_SUFFIXES):
        return {"frame_rate": -1.0, "frames_processed": []}
    return {}


def _bbox(box: BBox) -> list[Json]:
    """Four digits, at least one unit wide and high, never beyond the image."""
    left, width = _span(box.x_min, box.width)
    top, height = _span(box.y_min, box.height)
    return [left, top, width, height]


def _span(start: float, length: float) -> tuple[float, float]:
    first = min(max(round(start * _UNIT), 0), _UNIT - 1)
    size = min(max(round(length * _UNIT), 1), _UNIT - first)
    return first / _UNIT, size / _UNIT


def _info(info: RunInfo) -> dict[str, Json]:
    written: dict[str, Json] = {
        "format_version": FORMAT_VERSION,
        "detector": info.detector,
        "detection_completion_time": _time(info.detection_completed_at),
        "detector_metadata": {"typical_detection_threshold": info.typical_detection_threshold},
    }
    if info.classifier:
        written["classifier"] = info.classifier
    if info.classification_completed_at:
        written["classification_completion_time"] = _time(info.classification_completed_at)
    if info.summary_report:
        written["summary_report"] = info.summary_report
    return {**written, "custom_metadata": info.manifest}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
