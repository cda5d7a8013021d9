"""What clients of pyzm's gateway ask for: a login, one frame, or the frames of an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self

import orjson
from pydantic import BaseModel, Field
from starlette.requests import Request

from okapia.domain.errors import InvalidRequest, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.service import FACES, OBJECTS, Models
from okapia.web.bodies import bounded
from okapia.web.gateways import confidence_of

MAX_LOGIN_BYTES = 16_384
MAX_FRAMES = 100

OBJECT, FACE = "object", "face"
"""The types of model that there are here; pyzm has `alpr` and `audio` too."""

_PROFILES = {OBJECT: OBJECTS, FACE: FACES}


class Frame(BaseModel):
    """One frame of an event."""

    frame_id: str | int = ""
    url: str


class Event(BaseModel):
    """The frames of `/detect_urls`; what else clients send, they see to themselves as well.

    Attributes:
        contig_frames_before_error: after so many in a row that are not to be had, the event is over.
        pattern, zones: what the client will filter by; here it counts whether it will.
    """

    urls: Annotated[list[Frame], Field(max_length=MAX_FRAMES)] = Field(default_factory=list)
    zm_auth: str = ""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.3
    stop_on_match: bool = True
    contig_frames_before_error: Annotated[int, Field(ge=1)] = 5
    pattern: str = ".*"
    zones: list[object] = Field(default_factory=list)

    @property
    def stops_at_any(self) -> bool:
        """Whether the first frame with anything in it is all that the client wants."""
        return self.stop_on_match and self.pattern in {"", ".*"} and not self.zones


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form of `/infer` asks for, and the picture in it; `url` is there in its place."""

    kind: str
    name: str
    min_confidence: float
    url: str
    zm_auth: str = field(repr=False)
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, fields: Mapping[str, object], data: bytes, *, threshold: float) -> Self:
        """Check a form.

        Raises:
            InvalidRequest: `type` or the picture is missing, or `min_confidence` no number of 0..1.
        """
        text = {name: str(fields.get(name, "")) for name in ("type", "name", "url", "zm_auth")}
        if not text["type"]:
            raise InvalidRequest("type: expected object or face, got none", param="type")
        if not (data or text["url"]):
            raise InvalidRequest("Empty file", param="image")
        min_confidence = confidence_of(fields, default=threshold)
        return cls(text["type"], text["name"], min_confidence, text["url"], text["zm_auth"], data)

    def choice(self, models: Models) -> ModelChoice:
        """Give the models that are meant.

        Raises:
            InvalidRequest: there are none of this type and name.
            ModelError: they are known, and cannot be had.
        """
        absent = InvalidRequest(f"no model loaded for type={self.kind} name={self.name!r}")
        if self.kind not in _PROFILES:
            raise absent
        choice = self._named(models) if self.name else models.choice(_PROFILES[self.kind])
        if choice is None:
            raise absent
        return choice.alone if self.kind == FACE else choice  # genders are not in these answers

    def _named(self, models: Models) -> ModelChoice | None:
        try:
            choice = models.named(self.name)
            return choice if models.finds_faces(choice) == (self.kind == FACE) else None
        except UnknownModel:
            return None


async def name_and_password(request: Request, *, max_s: float) -> tuple[str, str]:
    """Read the JSON of a login; what is missing is empty, and so nobody's.

    Raises:
        PayloadTooLarge: it is longer than a name and a password.
        InvalidRequest: it is no JSON object.
    """
    body = await Request(request.scope, bounded(request, max_bytes=MAX_LOGIN_BYTES, max_s=max_s)).body()
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise InvalidRequest("expected a JSON object with username and password")
    return str(fields.get("username", "")), str(fields.get("password", ""))
