"""What pyzm's gateway answers: sightings in two shapes, failures as text with 200, errors as `detail`."""

from http import HTTPStatus

import orjson
from starlette.responses import Response

from okapia.dialects.pyzm.asking import OBJECT
from okapia.domain.errors import BadImage, ServerBusy
from okapia.web.gateways import Seen
from okapia.web.problems import Problem, RefusedImage

Fields = dict[str, object]


def render_error(problem: Problem) -> Response:
    """Answer as FastAPI does, with `detail`."""
    response = json_response({"detail": problem.message}, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def detections(seen: Seen, *, kind: str, model: str) -> Fields:
    """Answer `/infer`."""
    about = {"type": kind, "model_name": model}
    rows = [{"label": s.label, "confidence": s.confidence, "box": s.box, **about} for s in seen.sightings]
    return {"detections": rows, "error": None}


def detection_result(seen: Seen, model: str) -> Fields:
    """Give pyzm's `DetectionResult`."""
    width, height = seen.size
    return {
        "boxes": [sighting.box for sighting in seen.sightings],
        "labels": [sighting.label for sighting in seen.sightings],
        "confidences": [sighting.confidence for sighting in seen.sightings],
        "frame_id": None,
        "image_dimensions": {"original": [height, width], "resized": None},
        "error_boxes": [],
        "model_names": [model] * len(seen.sightings),
        "detection_types": [OBJECT] * len(seen.sightings),
        "polygons": [],
    }


def failed(message: str) -> Fields:
    """Answer `/infer` where nothing could be seen."""
    return {"detections": [], "error": message}


def not_seen(error: RefusedImage, *, is_fetched: bool) -> Fields:
    """Say why a picture was not looked at; raises it again where a status says it."""
    problem = Problem.of(error.failure)
    is_bad = problem.status == HTTPStatus.BAD_REQUEST
    if problem.code == ServerBusy.code or (is_bad and not is_fetched):
        raise error
    return failed(f"fetch failed: {problem.message}" if is_bad else problem.message)


def not_fetched(error: BadImage | RefusedImage) -> str:
    """Say why a frame is not among the results; raises it again where no other would be either."""
    if isinstance(error, RefusedImage) and Problem.of(error.failure).status != HTTPStatus.BAD_REQUEST:
        raise error
    return f"fetch failed: {error}"


def json_response(body: Fields, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
