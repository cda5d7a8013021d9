"""Who answers on which path.

Every dialect is served where its programs expect it, and whole once more under `/compat/NAME`, where nobody
else is. What several dialects want is decided in the table `CONTESTED`; what is not in it stops the start.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from okapia.dialects.base import Dialect
from okapia.domain.errors import InvalidSettings

COMPAT = "/compat"


class By(Enum):
    """How it is decided who answers on a contested path.

    `ORDER`: the first of the claimants that is served. `SETTING`: the one that is set. `SENDER`: the second
    where the call comes from a gateway's client (`okapia.web.junction`), else the first.
    """

    ORDER = "order"
    SETTING = "setting"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Contested:
    """A path that several dialects have.

    Attributes:
        why: the rule in words, for `okapia dialects`.
    """

    method: str
    path: str
    claimants: tuple[str, ...]
    by: By
    why: str


CONTESTED = (
    Contested(
        "POST",
        "/api/v1/detect",
        ("animaldetect", "pyzm"),
        By.SENDER,
        "pyzm for a token of /login or a file in the field `file`, else animaldetect",
    ),
    Contested("GET", "/api/v1/models", ("models", "pyzm"), By.ORDER, "one answer with both sets of fields"),
    Contested("POST", "/api/v1/login", ("mlapi", "pyzm"), By.ORDER, "mlapi's answer has all that pyzm reads"),
    Contested("GET", "/api/v1/health", ("mlapi", "pyzm"), By.ORDER, "mlapi's text: pyzm never asks here"),
    Contested("GET", "/health", ("pyzm", "speciesnet"), By.SETTING, "the setting `health`"),
)

Endpoint = Callable[..., object]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who answers a method and a path."""

    dialect: str
    endpoint: Endpoint


Claims = dict[Key, Claim]


@dataclass(frozen=True, slots=True)
class Paths:
    """All that the server answers.

    Attributes:
        claims: by method and path; without those below `/compat`.
        forks: path below `/compat` of the contract that gateways' clients mean, by method and path.
    """

    claims: Claims
    forks: dict[Key, str]


class Whole(BaseRoute):
    """Routes whose path has no parameter, found in one step: the search took a tenth of a gateway's call.

    Each is among the application's routes as well, for the document and for methods that it has not.
    """

    def __init__(self) -> None:
        self._routes: dict[Key, APIRoute] = {}

    def learn(self, routes: Iterable[BaseRoute]) -> None:
        """Add those of the routes that have no parameter."""
        for route in routes:
            if isinstance(route, APIRoute) and not route.param_convertors:
                self._routes |= {(method, route.path): route for method in route.methods or ()}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        route = self._routes.get((scope.get("method", ""), scope["path"]))
        return (Match.NONE, {}) if route is None else route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: APIRoute = scope["route"]
        await route.handle(scope, receive, send)


def serve(app: FastAPI, routers: Sequence[tuple[Dialect, APIRouter]], *, health: str) -> Paths:
    """Put the dialects' routes into the application.

    Args:
        routers: each dialect with what it built.
        health: the dialect that answers `GET /health`.

    Raises:
        InvalidSettings: two dialects have one path that is not in the table, or a router lies within a
            router, where its routes cannot be seen.
    """
    wanted = _wanted(routers)
    chosen = {"/health": health}
    claims = {key: claims[_owner(key, list(claims), chosen)] for key, claims in wanted.items()}
    whole = Whole()
    app.router.routes.append(whole)
    for dialect, router in routers:
        for prefix in ("", *dialect.also_under):
            kept = [route for route in router.routes if _is_owned(route, prefix, dialect.name, claims)]
            app.include_router(APIRouter(routes=kept), prefix=prefix, include_in_schema=not prefix)
            if not prefix:
                whole.learn(kept)
    for dialect, router in routers:
        for prefix in ("", *dialect.also_under):
            app.include_router(router, prefix=f"{COMPAT}/{dialect.name}{prefix}", include_in_schema=False)
    return Paths(claims, _forks(wanted))


def _wanted(routers: Sequence[tuple[Dialect, APIRouter]]) -> dict[Key, dict[str, Claim]]:
    """Collect who wants which path; who is asked first stands first."""
    wanted: dict[Key, dict[str, Claim]] = {}
    for dialect, router in routers:
        for prefix in ("", *dialect.also_under):
            for key, endpoint in _keys(router, prefix, dialect.name):
                wanted.setdefault(key, {})[dialect.name] = Claim(dialect.name, endpoint)
    return wanted


def _keys(router: APIRouter, prefix: str, name: str) -> Iterator[tuple[Key, Endpoint]]:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise InvalidSettings(f"the dialect {name} has something else than a plain route: {route}")
        for method in sorted(route.methods or ()):
            yield (method, prefix + route.path), route.endpoint


def _owner(key: Key, claimants: list[str], chosen: Mapping[str, str]) -> str:
    """Say which of the claimants answers at a path."""
    if len(claimants) == 1:
        return claimants[0]
    contested = next((c for c in CONTESTED if (c.method, c.path) == key), None)
    if contested is None or not {*claimants} <= {*contested.claimants}:
        raise InvalidSettings(f"{' '.join(key)} is claimed by {' and by '.join(claimants)}")
    if contested.by is By.SETTING and chosen[contested.path] in claimants:
        return chosen[contested.path]
    return next(name for name in contested.claimants if name in claimants)


def _is_owned(route: object, prefix: str, name: str, claims: Mapping[Key, Claim]) -> bool:
    if not isinstance(route, APIRoute):
        return False
    return all(claims[method, prefix + route.path].dialect == name for method in route.methods or ())


def _forks(wanted: Mapping[Key, Mapping[str, Claim]]) -> dict[Key, str]:
    forks = {}
    for contested in CONTESTED:
        key = (contested.method, contested.path)
        gateway = contested.claimants[-1]
        if contested.by is By.SENDER and {*wanted.get(key, ())} == {*contested.claimants}:
            forks[key] = f"{COMPAT}/{gateway}{contested.path}"
    return forks
