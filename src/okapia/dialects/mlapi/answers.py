"""What mlapi answers: boxes in pixels, percentages as text, errors in three libraries' forms."""

from dataclasses import replace
from http import HTTPStatus

import orjson
from starlette.responses import Response

from okapia.dialects.mlapi.asking import Asked
from okapia.domain.refusals import ExpiredToken, MalformedToken
from okapia.domain.types import Analysis, BBox, Detection, GenderWord, ImageInfo
from okapia.formats.base import Json
from okapia.web.problems import Problem

Fields = dict[str, Json]


def render_error(problem: Problem) -> Response:
    """Answer as Flask does with `code` and `msg`, and as flask_jwt_extended where the token is at fault."""
    if isinstance(problem.error, MalformedToken):
        return json_response({"msg": problem.message}, HTTPStatus.UNPROCESSABLE_ENTITY)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response = json_response({"msg": _token_message(problem)}, problem.status)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    response = json_response({"code": int(problem.status), "msg": problem.message}, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


def _token_message(problem: Problem) -> str:
    if problem.code == "missing_credentials":
        return "Missing Authorization Header"
    return "Token has expired" if isinstance(problem.error, ExpiredToken) else problem.message


def shown(detection: Detection, asked: Asked) -> Detection:
    """Give a detection as its copy is labelled: by the detector's word, not by the taxon's."""
    word, confidence = _gender(detection)
    label = f"{word.value} {confidence:.0%}, {detection.label}" if asked.has_gender else detection.label
    return replace(detection, label=label, prediction=None)


def legacy(detection: Detection, image: ImageInfo, asked: Asked) -> Fields:
    """Give one item of the list of 2019, with the `label` of 2021."""
    fields: Fields = {
        "type": detection.label,
        "label": detection.label,
        "confidence": _percent(detection.confidence),
        "box": _corners(detection.bbox, image),
    }
    if asked.has_gender:
        word, confidence = _gender(detection)
        fields |= {"gender": word.value, "gender_confidence": _percent(confidence)}
    return fields


def zm_detect(analysis: Analysis, asked: Asked, models: str) -> Fields:
    """Give what zm_detect.py reads; one picture is one frame, and no polygons are known here."""
    found, image = analysis.detections, analysis.image
    frame: Fields = {
        "frame_id": None,
        "boxes": [_corners(detection.bbox, image) for detection in found],
        "error_boxes": [],
        "labels": [detection.label for detection in found],
        "confidences": [round(detection.confidence, 4) for detection in found],
        "model_names": [models] * len(found),
    }
    sizes: Fields = {"original": [image.height, image.width], "resized": None}
    matched: Fields = {**frame, "image_dimensions": sizes, "polygons": [], "image": None}
    match: Fields = {**frame, "detection_types": [asked.kind.value] * len(found)}
    return {"matched_data": matched, "all_matches": [match] if found else []}


def _gender(detection: Detection) -> tuple[GenderWord, float]:
    """Give the guess and its confidence; a face that was not looked at for it is unknown."""
    guess = detection.gender
    return (guess.word, guess.confidence) if guess else (GenderWord.UNKNOWN, 0.0)


def _corners(box: BBox, image: ImageInfo) -> list[Json]:
    """Give left, top, right and bottom in pixels of the upright picture."""
    x, y = image.width, image.height
    return [round(box.x_min * x), round(box.y_min * y), round(box.x_max * x), round(box.y_max * y)]


def _percent(value: float) -> str:
    return f"{value:.2%}"


def json_response(body: Json, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
