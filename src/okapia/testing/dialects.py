"""What every dialect has to keep to, tried on the whole server as it would start with it.

The dialect is found as a server finds it: a package has to be installed first. No model is needed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
import httpx
from fastapi import FastAPI

from okapia.accounts.audit import Audit
from okapia.accounts.ledger import Ledger
from okapia.accounts.plans import DEFAULT_PLAN, PLANS
from okapia.accounts.users import Users
from okapia.app import build_app, build_service
from okapia.database.opening import open_database
from okapia.dialects.base import Dialect, discover
from okapia.dialects.paths import Claims
from okapia.domain.callers import Role
from okapia.domain.errors import InvalidSettings
from okapia.settings import Settings
from okapia.testing.rules import Rule
from okapia.web.needs import Needs, When, needs_of

_FORM: Final = "multipart/form-data; boundary=x"
_PART: Final = b"--x\r\nContent-Disposition: form-data; name="
_BODIES: Final = (
    ("application/json", b""),
    ("application/json", b'{"a": [1, {"b": null}]}'),
    ("application/json", b"\xff\x00{"),
    ("application/json", b"[" * 50_000),
    ("application/x-www-form-urlencoded", b"a=1&a=2&%"),
    ("image/jpeg", b"\xff\xd8\xff no picture"),
    (_FORM, b"--x"),
    (_FORM, _PART + b'"file"; filename="a.jpg"\r\n\r\nno picture\r\n--x--\r\n'),
    (_FORM, _PART + b'"a"\r\n\r\n\xff\r\n--x--\r\n'),
)
"""Content types with bodies that no dialect can take for a call."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request to a route."""

    method: str
    path: str
    content_type: str = "application/json"
    body: bytes = b""


def says_what_it_is(dialect: Dialect) -> None:
    """It has a name that fits into a path, and the document that it imitates."""
    name = dialect.name
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", name), f"expected small letters, digits and - _, got {name!r}"
    assert dialect.source, f"{name}: expected the document that is imitated"


def is_found_and_served(dialect: Dialect) -> None:
    """A server with every dialect on this machine starts with it, and documents it."""
    found = discover()
    assert dialect in found, f"{dialect.name} is not found: is its package installed?"
    with _server(found) as app:
        statuses = _ask(app, [_Call("GET", "/openapi.json")])
        assert _routes(app, dialect), f"{dialect.name} has no routes"
    assert set(statuses.values()) == {HTTPStatus.OK}, f"the server has no document: {_listed(statuses)}"


def lets_nobody_in_without_credentials(dialect: Dialect) -> None:
    """Once there are people, a route that needs credentials answers 401 to who brings none."""
    with _server([dialect], people=("ada",)) as app:
        calls = [_Call(*key) for key, needed in _routes(app, dialect).items() if needed.when is When.ALWAYS]
        statuses = _ask(app, calls)
    wrong = {call: status for call, status in statuses.items() if status != HTTPStatus.UNAUTHORIZED}
    assert not wrong, f"{dialect.name}: expected 401, got {_listed(wrong)}"


def survives_any_body(dialect: Dialect) -> None:
    """What is no call is refused; it is never answered 500."""
    with _server([dialect]) as app:
        calls = [
            _Call(method, path, content_type, body)
            for method, path in _routes(app, dialect)
            for content_type, body in (_BODIES if method in {"POST", "PUT", "PATCH"} else _BODIES[:1])
        ]
        statuses = _ask(app, calls)
    broken = {c: status for c, status in statuses.items() if status == HTTPStatus.INTERNAL_SERVER_ERROR}
    assert not broken, f"{dialect.name}: expected no 500, got {_listed(broken)}"


DIALECT_RULES: Final[tuple[Rule[Dialect], ...]] = (
    says_what_it_is,
    is_found_and_served,
    lets_nobody_in_without_credentials,
    survives_any_body,
)


@contextmanager
def _server(dialects: Sequence[Dialect], *, people: Sequence[str] = ()) -> Iterator[FastAPI]:
    """Make the application with these dialects, in a home of its own, without models."""
    off = {dialect.name for dialect in discover()} - {dialect.name for dialect in dialects}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(home=Path(folder), dialects_off=tuple(off))
        _add_people(settings, people)
        try:
            app = build_app(settings, build_service(settings))
        except InvalidSettings as error:
            raise AssertionError(f"the server does not start: {error}") from error
        yield app


def _add_people(settings: Settings, names: Sequence[str]) -> None:
    with closing(open_database(settings.home, settings.database)) as database:
        users = Users(ledger=Ledger(plans=PLANS, instance_id=""), audit=Audit())
        with database.write() as connection:
            for name in names:
                users.add(
                    connection, name, role=Role.ADMIN, plan=DEFAULT_PLAN, password_hash=None, actor=name
                )


def _routes(app: FastAPI, dialect: Dialect) -> dict[tuple[str, str], Needs]:
    """Give the dialect's methods and paths, an `x` for each parameter, with what they need of a caller."""
    claims: Claims = app.state.claims
    return {
        (method, re.sub(r"\{[^}]*\}", "x", path)): needs_of(claim.endpoint)
        for (method, path), claim in claims.items()
        if claim.dialect == dialect.name
    }


def _ask(app: FastAPI, calls: Sequence[_Call]) -> Mapping[_Call, int]:
    """Send calls to a server from its start to its end; gives the status of each."""
    statuses: dict[_Call, int] = {}

    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            for call in calls:
                headers = {"Content-Type": call.content_type}
                answer = await client.request(call.method, call.path, content=call.body, headers=headers)
                statuses[call] = answer.status_code

    anyio.run(ask)
    return statuses


def _listed(statuses: Mapping[_Call, int]) -> str:
    return ", ".join(f"{status} for {call.method} {call.path}" for call, status in statuses.items())
