"""Okapia's own routes about API keys: people make, rotate and revoke theirs; admins everybody's."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Rates, Scope
from okapia.service.keys import OVERLAP, ApiKey, NewKey
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker, visit_of

_YEAR_S = 365 * 24 * 3600

CallsAMinute = Annotated[int, Field(ge=1, le=1_000_000)]
UserName = Annotated[str, Field(min_length=1, max_length=64, examples=["ada"])]


class KeyRates(BaseModel):
    """Calls a minute; null is what the plan has."""

    model_config = ConfigDict(extra="forbid")

    inference: CallsAMinute | None = None
    reference: CallsAMinute | None = None
    usage: CallsAMinute | None = None

    def rates(self) -> Rates:
        return Rates(self.inference, self.reference, self.usage)


class KeyRequest(BaseModel):
    """What a key is for. Without `scopes` it may do all that its maker may; `user` is for admins."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64, examples=["camera gateway"])]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] | None = None
    expires_at: AwareDatetime | None = None
    rates: KeyRates = KeyRates()
    user: UserName | None = None


class Rotation(BaseModel):
    """How long the old key still works; 0 ends it now."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: Annotated[int, Field(ge=0, le=_YEAR_S)] = int(OVERLAP.total_seconds())


class ShownKey(BaseModel):
    """A key by its beginning and its end. `revoked_at` lies ahead while a rotated key still works."""

    id: str
    name: str
    user: str
    prefix: Annotated[str, Field(examples=["ok_live_4k7mnp2q9xwz"])]
    last_four: str
    scopes: list[Scope]
    rates: KeyRates
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls.model_validate(key.shown())


class MadeKey(ShownKey):
    """A key that was just made, with its text, which is shown only here."""

    key: str

    @classmethod
    def of_new(cls, made: NewKey) -> Self:
        return cls.model_validate({**made.key.shown(), "key": made.text})


class KeyList(BaseModel):
    """Keys, the newest first, those that have ended too."""

    keys: list[ShownKey]


def build(context: Context) -> APIRouter:
    """Make `/v1/keys` and what is below it."""
    router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=door(context, problem_json))
    keys = context.desk.keys

    @router.get("")
    @needs(Scope.KEYS)
    def list_keys(caller: Asker, user: Annotated[UserName | None, Query()] = None) -> KeyList:
        """List one's own keys or, for admins, those of `user`."""
        return KeyList(keys=[ShownKey.of(key) for key in keys.all(caller, user=user)])

    @router.post("", status_code=HTTPStatus.CREATED)
    @needs(Scope.KEYS)
    def create_key(body: KeyRequest, request: Request, response: Response, caller: Asker) -> MadeKey:
        """Make a key, which is shown only here. It may do no more than the caller."""
        response.headers["Cache-Control"] = "no-store"
        made = keys.mint(
            caller,
            name=body.name,
            scopes=body.scopes,
            expires_at=body.expires_at,
            rates=body.rates.rates(),
            user=body.user,
            request_id=visit_of(request).request_id,
        )
        return MadeKey.of_new(made)

    @router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Scope.KEYS)
    def revoke_key(key_id: str, request: Request, caller: Asker) -> None:
        """End a key now."""
        keys.revoke(caller, key_id, request_id=visit_of(request).request_id)

    @router.post("/{key_id}/rotate", status_code=HTTPStatus.CREATED)
    @needs(Scope.KEYS)
    def rotate_key(
        key_id: str, request: Request, response: Response, caller: Asker, body: Rotation | None = None
    ) -> MadeKey:
        """Make a key like another, shown only here; the old one works on for a while, by default a day."""
        response.headers["Cache-Control"] = "no-store"
        overlap = timedelta(seconds=(body or Rotation()).overlap_seconds)
        request_id = visit_of(request).request_id
        return MadeKey.of_new(keys.rotate(caller, key_id, overlap=overlap, request_id=request_id))

    return router


dialect = Dialect("keys", "Okapia's own", build)
