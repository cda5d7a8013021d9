"""What a request says: Microsoft's parameters with their rules, and what they amount to here."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Self

import orjson
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request

from okapia.dialects.microsoft_batch.container import Container
from okapia.dialects.microsoft_batch.versions import Versions
from okapia.domain.errors import InvalidRequest
from okapia.domain.types import AnalysisOptions
from okapia.service.batch_request import LIST_URL, SOURCE, BatchRequest, Outputs, PlaceOfPictures, Selection
from okapia.service.batches import NewBatch

NAME = "microsoft_batch"

MOST_IMAGES = 2_000_000
SUFFIXES = (".jpg", ".jpeg", ".png")
KEEP_ABOVE = 0.1
"""Least confidence of a box in the results, as in v4."""

_NO_JSON = "Body needs to have a JSON mimetype (e.g., application/json)."
_NO_CONTAINER = "input_container_sas with read and list access is a required field when not using image URLs."
_NO_LIST = "images_requested_json_sas is required since use_url is true."
_NO_URL = "images_requested_json_sas needs to be an URL."
_SAYS_NO = frozenset({"false", "f", "no", "n"})
_SEED_BITS = 31


def _is_true(value: object) -> bool:
    return value.lower() not in _SAYS_NO if isinstance(value, str) else bool(value)


Number = Annotated[int, Field(gt=0)]


class DetectionRequest(BaseModel):
    """The parameters of `/request_detections`; what is null or empty counts as left out.

    Attributes:
        country, organization_name: for the operator's own statistics, as at Microsoft.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    input_container_sas: SecretStr | None = None
    images_requested_json_sas: SecretStr | None = None
    use_url: Annotated[bool, BeforeValidator(_is_true)] = False
    image_path_prefix: str = ""
    first_n: Number | None = None
    sample_n: Number | None = None
    model_version: Annotated[str, BeforeValidator(str)] = ""
    request_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$", max_length=92)] = ""
    caller: str = ""
    country: str = ""
    organization_name: str = ""

    @classmethod
    def of(cls, body: Mapping[str, object]) -> Self:
        """Read a body; raises `InvalidRequest`, which repeats no value."""
        given = {name: value for name, value in body.items() if value not in (None, "")}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0])
            raise InvalidRequest(f"{name}: {first['msg']}", param=name) from None

    def new_batch(self, versions: Versions, *, threshold: float) -> NewBatch:
        """Say in Okapia's words what is wanted; the secrets stand beside the request, not in it.

        Args:
            threshold: least confidence of an animal that gets a species, where the version names them.

        Raises:
            InvalidRequest: no pictures are named, they are named wrongly, or the models are unknown.
        """
        place, opened_by = self._place()
        choice = versions.choice(self.model_version)
        request = BatchRequest(
            place=place,
            choice=choice,
            options=AnalysisOptions(threshold=threshold, classify=choice.classifier is not None),
            selection=self._selection(),
            outputs=Outputs(keep_above=KEEP_ABOVE),
            name=self.request_name,
            dialect=NAME,
            about={
                "caller": self.caller,
                "country": self.country,
                "organization_name": self.organization_name,
            },
        )
        return NewBatch(request=request, secrets=opened_by)

    def _selection(self) -> Selection:
        return Selection(
            prefix=self.image_path_prefix,
            suffixes=SUFFIXES,
            first_n=self.first_n,
            sample_n=self.sample_n,
            most=MOST_IMAGES,
            seed=secrets.randbits(_SEED_BITS),
        )

    def _place(self) -> tuple[PlaceOfPictures, dict[str, str]]:
        """Give where the pictures lie and what opens that; with URLs the container plays no part."""
        container, list_url = self._container(), self._list_url()
        by_list = {LIST_URL: list_url} if list_url else {}
        if self.use_url and not list_url:
            raise InvalidRequest(_NO_LIST, param="images_requested_json_sas")
        if container is None or self.use_url:
            return PlaceOfPictures(fetches_list=True), by_list
        place = PlaceOfPictures(address=container.address, fetches_list=bool(list_url))
        return place, {SOURCE: container.sas, **by_list}

    def _container(self) -> Container | None:
        if self.input_container_sas is None:
            if not self.use_url:
                raise InvalidRequest(_NO_CONTAINER, param="input_container_sas")
            return None
        return Container.parse(self.input_container_sas.get_secret_value())

    def _list_url(self) -> str:
        if self.images_requested_json_sas is None:
            return ""
        url = self.images_requested_json_sas.get_secret_value()
        if not url.startswith(("http://", "https://")):
            raise InvalidRequest(_NO_URL, param="images_requested_json_sas")
        return url


async def read_body(request: Request) -> dict[str, object]:
    """Read a call's JSON.

    Raises:
        HTTPException: 415 when it is none, or does not say that it is.
        InvalidRequest: it is no object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _NO_JSON)
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        message = f"Error occurred reading POST request body: {error}."
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message) from None
    if not isinstance(body, dict):
        raise InvalidRequest(f"expected a JSON object, got {type(body).__name__}")
    return body
