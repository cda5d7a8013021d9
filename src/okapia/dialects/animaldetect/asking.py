"""What a caller asks of one picture, checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.domain.types import AnalysisOptions, People, Smooth, Where
from okapia.service import NamedImage, Warned
from okapia.web.uploads import Upload


class Parameters(BaseModel):
    """What can be said beside the image: in the form, in the JSON or in the query.

    Attributes:
        country: code or name; `auto` takes it from the coordinates.
        state: of the USA, two letters or a name (ours).
        smooth_herd: broad labels take a precise one found in the same picture.
        top_candidate: further classes given for a box.
        render: answer with an annotated JPEG in place of JSON (ours).
        people: how people appear in that JPEG (ours).
        detector: id of the detector, or two joined by `+`, in place of the profile's (ours).
        classifier: id of the classifier in place of the profile's (ours).
        tiles: tiles a side that the picture is also looked at in, for small animals (ours).
    """

    threshold: Annotated[float, Field(ge=0.01, le=0.99, allow_inf_nan=False)]
    classify: bool = True
    country: str | None = None
    state: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    smooth_herd: bool = False
    top_candidate: Annotated[int, Field(ge=1, le=10)] | None = None
    metadata: bool = False
    render: bool = False
    people: People = People.BLUR
    detector: str | None = None
    classifier: str | None = None
    tiles: Annotated[int, Field(ge=1, le=4)] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One picture and what is asked of it.

    Attributes:
        source_url: where it was fetched from; None when it was sent.
    """

    data: bytes
    name: str
    parameters: Parameters
    source_url: str | None = None

    @property
    def image(self) -> NamedImage:
        return NamedImage(self.name, lambda: self.data)

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What was said and is not used."""
        asked = self.parameters
        if asked.top_candidate is None or asked.classify:
            return ()
        return (Warned("top_candidate_ignored", "without `classify` there are no candidates"),)

    def options(self, where: Where, *, classify: bool) -> AnalysisOptions:
        asked = self.parameters
        smooth = Smooth.HERD if asked.smooth_herd else Smooth.OFF
        return AnalysisOptions(asked.threshold, classify and asked.classify, where=where, smooth=smooth)

    def choice(self, profile: ModelChoice) -> ModelChoice:
        """Give the profile's models with those that the caller wants instead."""
        wanted = self.parameters
        return ModelChoice(
            wanted.detector or profile.detector,
            (wanted.classifier or profile.classifier) if wanted.classify else None,
            wanted.tiles or profile.tiles,
        )


MOST_IMAGES = 10
"""Pictures of one batch call, as the vendor allows."""


def one_asked(upload: Upload, query: dict[str, str], *, default_threshold: float) -> Asked:
    """Check a call about one picture; what stands in the body wins over the query.

    Raises:
        InvalidRequest: there is not exactly one picture, or a parameter is out of range; `param` names it.
    """
    image = upload.one_image("image")
    return Asked(image.data, image.name, _parameters(upload, query, default_threshold))


def url_asked(upload: Upload, *, default_threshold: float, read: Callable[[str], bytes]) -> Asked:
    """Check a call about a picture that is to be fetched, and fetch it; blocks.

    Raises:
        InvalidRequest: there is no `url`, it is no http(s) one, or a parameter is out of range.
        BadImage: it may not be fetched, or cannot be.
    """
    url = url_of(upload)
    parameters = _parameters(upload, {}, default_threshold)
    return Asked(read(url), url.rpartition("/")[2] or "image", parameters, source_url=url)


def url_of(upload: Upload) -> str:
    """Take the URL out of a body; raises `InvalidRequest` when there is none, or it is no http(s) one."""
    url = upload.fields.pop("url", None)
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise InvalidRequest(f"url: expected an http or https URL, got {url!r}", param="url")
    return url


def many_asked(upload: Upload, query: dict[str, str], *, default_threshold: float) -> list[Asked]:
    """Check a call about 1 to `MOST_IMAGES` pictures; as `one_asked`."""
    count = len(upload.images)
    if not 1 <= count <= MOST_IMAGES:
        raise InvalidRequest(f"expected 1 to {MOST_IMAGES} images, got {count}", param="images")
    parameters = _parameters(upload, query, default_threshold)
    return [Asked(image.data, image.name, parameters) for image in upload.images]


def _parameters(upload: Upload, query: dict[str, str], default_threshold: float) -> Parameters:
    return parameters_of({"threshold": default_threshold} | query | upload.fields)


def parameters_of(given: Mapping[str, object]) -> Parameters:
    """Check what is said beside a picture; raises `InvalidRequest`, whose `param` names what is wrong."""
    try:
        return Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"{name}: {first['msg']}, got {first['input']!r}", param=name) from error


Schema = dict[str, object]

FIELDS: dict[str, Schema] = {
    "threshold": {"type": "number", "minimum": 0.01, "maximum": 0.99, "default": 0.2},
    "classify": {"type": "boolean", "default": True},
    "country": {"type": "string"},
    "state": {"type": "string"},
    "latitude": {"type": "number", "minimum": -90, "maximum": 90},
    "longitude": {"type": "number", "minimum": -180, "maximum": 180},
    "smooth_herd": {"type": "boolean", "default": False},
    "top_candidate": {"type": "integer", "minimum": 1, "maximum": 10},
    "metadata": {"type": "boolean", "default": False},
    "render": {"type": "boolean", "default": False},
    "people": {"type": "string", "enum": [people.value for people in People], "default": "blur"},
    "detector": {"type": "string"},
    "classifier": {"type": "string"},
    "tiles": {"type": "integer", "minimum": 1, "maximum": 4},
}


_FILE: Schema = {"type": "string", "format": "binary"}
_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
_IN_QUERY = [{"name": name, "in": "query", "schema": schema} for name, schema in FIELDS.items()]


def _body_of(name: str, value: Schema, fields: Mapping[str, Schema] = FIELDS) -> Schema:
    properties = {name: value, **fields}
    return {"schema": {"type": "object", "required": [name], "properties": properties}}


def _up_to_ten(image: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MOST_IMAGES, "items": image}


def image_request(fields: Mapping[str, Schema] = FIELDS) -> Schema:
    """Describe a call about one picture with `fields` beside it."""
    content = {
        "multipart/form-data": _body_of("image", _FILE, fields),
        "application/json": _body_of("image", _BASE64, fields),
        "image/jpeg": {"schema": _FILE},
    }
    return {"requestBody": {"required": True, "content": content}}


def url_request(fields: Mapping[str, Schema] = FIELDS) -> Schema:
    """Describe a call about a picture that is fetched, with `fields` beside its URL."""
    content = {"application/json": _body_of("url", {"type": "string", "format": "uri"}, fields)}
    return {"requestBody": {"required": True, "content": content}}


REQUEST = {"parameters": _IN_QUERY, **image_request()}
BATCH_REQUEST = {
    "parameters": _IN_QUERY,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _body_of("images", _up_to_ten(_FILE)),
            "application/json": _body_of("images", _up_to_ten(_BASE64)),
        },
    },
}
