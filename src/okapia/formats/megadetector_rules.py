"""The rules of MegaDetector's batch results format, checked strictly.

Stricter than the format's own validator where that is silent (numbers, order, duplicates) and
complete: every fault is named, not the first.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

import orjson

from okapia.domain.clips import VIDEO_SUFFIXES
from okapia.domain.errors import UnreadableFile

OLDEST_VERSION = 1.3
"""Older files had other rules; the format's own validator refuses to judge them too."""

TOP_LEVEL = frozenset(
    {
        "info",
        "detection_categories",
        "classification_categories",
        "classification_category_descriptions",
        "images",
    }
)

ROUNDING = 1e-4
"""How far a box may reach beyond the picture: four digits of `x` and of `width` add up to that."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_CAPTURE_TIME = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")

_Object = Mapping[str, object]


def validate(path: Path) -> list[str]:
    """Name every fault of the file, with where it is; an empty list for a valid file.

    The whole file is held in memory, about five times its size.

    Raises:
        UnreadableFile: the file cannot be read.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"cannot read {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        return [f"not JSON: {error}"]
    if not _is_object(document):
        return [f"expected an object, got {_kind(document)}"]
    return list(_document(document))


def _document(document: _Object) -> Iterator[str]:
    yield from (f"{key}: not a field of the format" for key in document.keys() - TOP_LEVEL)
    yield from _info(document.get("info"))
    yield from _categories(document, "detection_categories")
    if "classification_categories" in document:
        yield from _categories(document, "classification_categories")
    yield from _descriptions(document)
    images = document.get("images")
    if not isinstance(images, list):
        yield f"images: expected a list, got {_kind(images)}"
        return
    boxes = frozenset(_table(document, "detection_categories"))
    classes = frozenset(_table(document, "classification_categories"))
    seen: set[str] = set()
    for index, image in enumerate(images):
        yield from _image(image, seen, where=f"images[{index}]", boxes=boxes, classes=classes)


def _info(info: object) -> Iterator[str]:
    if not _is_object(info):
        yield f"info: expected an object, got {_kind(info)}"
        return
    yield from _version(info.get("format_version"))
    for key in ("detector", "classifier", "summary_report"):
        if key in info and not isinstance(info[key], str):
            yield f"info.{key}: expected a string, got {_kind(info[key])}"
    for key in ("detection_completion_time", "classification_completion_time"):
        if key in info and not _matches(_TIME, info[key]):
            yield f"info.{key}: expected YYYY-MM-DD HH:MM:SS, got {info[key]!r}"
    for key in ("detector_metadata", "classifier_metadata"):
        if key in info and not _is_object(info[key]):
            yield f"info.{key}: expected an object, got {_kind(info[key])}"


def _version(version: object) -> Iterator[str]:
    number = _float_of(version)
    if number is None:
        yield f"info.format_version: expected a version such as '1.6', got {version!r}"
    elif number < OLDEST_VERSION:
        yield f"info.format_version: expected at least {OLDEST_VERSION}, got {version}"
    elif number >= 1.6 and not isinstance(version, str):
        yield f"info.format_version: expected a string since 1.6, got {_kind(version)}"


def _categories(document: _Object, key: str) -> Iterator[str]:
    table = document.get(key)
    if not _is_object(table):
        yield f"{key}: expected an object, got {_kind(table)}"
        return
    for id_, name in table.items():
        if not _is_id(id_):
            yield f"{key}: expected whole numbers from 0 as ids, got {id_!r}"
        if not isinstance(name, str) or not name.strip():
            yield f"{key}.{id_}: expected a name, got {name!r}"


def _descriptions(document: _Object) -> Iterator[str]:
    key = "classification_category_descriptions"
    if key not in document:
        return
    table = document[key]
    if not _is_object(table):
        yield f"{key}: expected an object, got {_kind(table)}"
        return
    if odd := sorted(table.keys() ^ _table(document, "classification_categories").keys()):
        yield f"{key}: expected the ids of classification_categories, {', '.join(odd)} are in one only"
    for id_, text in table.items():
        if not isinstance(text, str):
            yield f"{key}.{id_}: expected a string, got {_kind(text)}"


def _image(
    image: object, seen: set[str], *, where: str, boxes: frozenset[str], classes: frozenset[str]
) -> Iterator[str]:
    if not _is_object(image):
        yield f"{where}: expected an object, got {_kind(image)}"
        return
    yield from _file(image.get("file"), seen, where=f"{where}.file")
    if "datetime" in image and not _matches(_CAPTURE_TIME, image["datetime"]):
        yield f"{where}.datetime: expected YYYY:MM:DD HH:MM:SS, got {image['datetime']!r}"
    for key in ("width", "height"):
        if key in image and not _is_size(image[key]):
            yield f"{where}.{key}: expected a whole number of pixels from 1, got {image[key]!r}"
    yield from _clip(image, where=where)
    detections = image.get("detections")
    if image.get("failure") is not None:
        yield from _failed(image["failure"], detections, where=where)
    elif not isinstance(detections, list):
        yield f"{where}.detections: expected a list where nothing failed, got {_kind(detections)}"
    else:
        yield from _detections(detections, where=f"{where}.detections", boxes=boxes, classes=classes)


def _file(file: object, seen: set[str], *, where: str) -> Iterator[str]:
    if not isinstance(file, str) or not file:
        yield f"{where}: expected a name, got {file!r}"
        return
    if "\\" in file:
        yield f"{where}: expected / between folders, got {file!r}"
    if file in seen:
        yield f"{where}: expected each file once, got {file!r} again"
    seen.add(file)


def _clip(image: _Object, *, where: str) -> Iterator[str]:
    """Check what only video files have; they are told by that, or by their names."""
    if "frame_rate" not in image and not str(image.get("file")).lower().endswith(VIDEO_SUFFIXES):
        return
    rate, frames = image.get("frame_rate"), image.get("frames_processed")
    is_failed = image.get("failure") is not None
    if not (_is_number(rate) and (rate > 0 or is_failed)):
        yield f"{where}.frame_rate: expected a number above 0, got {rate!r}"
    if not isinstance(frames, list) or not all(_is_frame(frame) for frame in frames):
        yield f"{where}.frames_processed: expected a list of frame numbers from 0, got {frames!r}"
        return
    detections = image.get("detections")
    for index, detection in enumerate(detections if isinstance(detections, list) else []):
        number = detection.get("frame_number") if _is_object(detection) else None
        if not _is_frame(number) or number not in frames:
            here = f"{where}.detections[{index}].frame_number"
            yield f"{here}: expected one of frames_processed, got {number!r}"


def _failed(failure: object, detections: object, *, where: str) -> Iterator[str]:
    if not isinstance(failure, str) or not failure:
        yield f"{where}.failure: expected a reason, got {failure!r}"
    if detections is not None:
        yield f"{where}.detections: expected null beside a failure, got {_kind(detections)}"


def _detections(
    detections: list[object], *, where: str, boxes: frozenset[str], classes: frozenset[str]
) -> Iterator[str]:
    order: list[float] = []
    for index, detection in enumerate(detections):
        here = f"{where}[{index}]"
        if not _is_object(detection):
            yield f"{here}: expected an object, got {_kind(detection)}"
            continue
        yield from _known(detection.get("category"), boxes, where=f"{here}.category")
        conf = detection.get("conf")
        # Removing repeated detections turns a confidence negative, and it must survive that.
        if isinstance(conf, float) and -1 <= conf <= 1:
            order.append(abs(conf))
        else:
            yield f"{here}.conf: expected a decimal number of -1 to 1, got {conf!r}"
        yield from _bbox(detection.get("bbox"), where=f"{here}.bbox")
        if "classifications" in detection:
            yield from _classifications(
                detection["classifications"], classes, where=f"{here}.classifications"
            )
    yield from _descending(order, where=where)


def _bbox(bbox: object, *, where: str) -> Iterator[str]:
    if not isinstance(bbox, list) or len(bbox) != 4:
        yield f"{where}: expected [x_min, y_min, width, height], got {bbox!r}"
        return
    numbers = [value for value in bbox if _is_number(value)]
    if len(numbers) != 4:
        yield f"{where}: expected four numbers, got {bbox!r}"
        return
    x_min, y_min, width, height = numbers
    if not (0 <= x_min <= 1 and 0 <= y_min <= 1):
        yield f"{where}: expected x_min and y_min of 0 to 1, got {bbox!r}"
    if not (width > 0 and height > 0):
        yield f"{where}: expected a width and a height above 0, got {bbox!r}"
    if x_min + width > 1 + ROUNDING or y_min + height > 1 + ROUNDING:
        yield f"{where}: expected a box within the picture, got {bbox!r}"


def _classifications(pairs: object, classes: frozenset[str], *, where: str) -> Iterator[str]:
    if not isinstance(pairs, list):
        yield f"{where}: expected a list, got {_kind(pairs)}"
        return
    order: list[float] = []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            yield f"{where}[{index}]: expected [id, score], got {pair!r}"
            continue
        yield from _known(pair[0], classes, where=f"{where}[{index}]")
        if _is_number(pair[1]) and 0 <= pair[1] <= 1:
            order.append(pair[1])
        else:
            yield f"{where}[{index}]: expected a score of 0 to 1, got {pair[1]!r}"
    yield from _descending(order, where=where)


def _known(id_: object, table: frozenset[str], *, where: str) -> Iterator[str]:
    if not isinstance(id_, str) or id_ not in table:
        yield f"{where}: expected an id of its table, got {id_!r}"


def _descending(values: list[float], *, where: str) -> Iterator[str]:
    if values != sorted(values, reverse=True):
        yield f"{where}: expected the most confident first"


def _table(document: _Object, key: str) -> _Object:
    table = document.get(key)
    return table if _is_object(table) else {}


def _is_object(value: object) -> TypeGuard[_Object]:
    """Tell a JSON object; its keys are strings by JSON's own rule."""
    return isinstance(value, dict)


def _is_id(id_: str) -> bool:
    return id_.isascii() and id_.isdecimal()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_frame(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _float_of(value: object) -> float | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", type(None): "nothing", bool: "true or false"}
    return names.get(type(value), "a number")
