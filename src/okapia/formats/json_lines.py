"""Results as JSON lines: an object a picture, with the numbers as the models gave them."""

from functools import partial
from pathlib import Path

import orjson

from okapia.domain.types import Analysis, Classification, Detection, Failure, ImageResult, Prediction
from okapia.formats.base import Format, Json, ResultWriter, Writing
from okapia.formats.lines import LineWriter
from okapia.formats.megadetector import as_utf8


def _writer(target: Path, writing: Writing) -> ResultWriter:
    return LineWriter(target, partial(_line, writing=writing))


result_format = Format(
    "jsonl",
    "Okapia's own: the fields of its domain, boxes as fractions of the upright image",
    ".jsonl",
    _writer,
)


def _line(result: ImageResult, *, writing: Writing) -> bytes:
    about: dict[str, Json] = {
        "file": as_utf8(result.name),
        "meta": as_utf8(result.meta) if result.meta is not None else None,
        "sha256": result.sha256,
    }
    match result.outcome:
        case Failure(code, message):
            answer: dict[str, Json] = {"failure": {"code": code, "message": as_utf8(message)}}
        case Analysis() as analysis:
            answer = _facts(analysis) | {"detections": _detections(analysis, writing)}
    return orjson.dumps(about | answer, option=orjson.OPT_APPEND_NEWLINE)


def _facts(analysis: Analysis) -> dict[str, Json]:
    image = analysis.image
    taken = image.capture.captured_at
    return {
        "width": image.width,
        "height": image.height,
        "decoded_fraction": image.decoded_fraction,
        "captured_at": taken.isoformat() if taken else None,
        "camera_serial": image.capture.camera_serial,
    }


def _detections(analysis: Analysis, writing: Writing) -> list[Json]:
    kept = (found for found in analysis.detections if found.confidence >= writing.keep_above)
    return [_detection(found, writing.top_k) for found in kept]


def _detection(found: Detection, top_k: int | None) -> dict[str, Json]:
    box = found.bbox
    written: dict[str, Json] = {
        "category": found.category.value,
        "label": found.label,
        "confidence": found.confidence,
        "bbox": [box.x_min, box.y_min, box.width, box.height],
        "prediction": _prediction(found.prediction) if found.prediction else None,
        "classifications": [_classification(one) for one in found.classifications[:top_k]],
    }
    if found.frame is not None:
        written["frame"] = found.frame
    if found.gender:
        written["gender"] = {"word": found.gender.word.value, "man_probability": found.gender.man_probability}
    return written


def _prediction(answer: Prediction) -> dict[str, Json]:
    return {
        "taxon": answer.taxon.label,
        "scientific_name": answer.taxon.scientific_name,
        "common_name": answer.taxon.common_name,
        "score": answer.score,
        "source": answer.source,
    }


def _classification(seen: Classification) -> dict[str, Json]:
    return {"taxon": seen.taxon.label, "score": seen.score}
