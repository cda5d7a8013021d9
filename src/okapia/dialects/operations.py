"""What operators and their tools ask: is it alive, is it ready, what does it count, what can it do."""

import orjson
from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Scope
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import When, needs, public
from okapia.web.problems import Problem
from okapia.web.visit import visit_of

DOCS_ASSETS = "/docs-assets"
"""Where the application serves the documentation's own script and style: field stations have no CDN."""


def build(context: Context) -> APIRouter:
    """Make `/healthz`, `/readyz`, `/metrics`, the documentation, and `/`, which leads there."""
    router = APIRouter(tags=["operations"], route_class=door(context, render_error))
    _add_state(router, context)
    _add_documentation(router)
    return router


def _add_state(router: APIRouter, context: Context) -> None:
    @router.get("/healthz")
    @public
    def healthz() -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    @router.get("/readyz")
    @needs(Scope.ADMIN, None, when=When.FOR_MORE)
    def readyz(request: Request) -> Response:
        """Try the default models, at most once in ten seconds; say how they run to who may know."""
        reports = context.service.readiness.check()
        details = {"models": list(reports)} if visit_of(request).caller else {}
        return _json({"status": "ready", **details})

    @router.get("/metrics")
    @needs(Scope.ADMIN, None, when=When.OFF_LOOPBACK)
    def metrics() -> Response:
        """Give the counters in Prometheus' text format."""
        return Response(generate_latest(context.service.meters.registry), media_type=CONTENT_TYPE_LATEST)


def _add_documentation(router: APIRouter) -> None:
    @router.get("/openapi.json", include_in_schema=False)
    @needs(Scope.READ, None, when=When.OFF_LOOPBACK)
    def openapi(request: Request) -> Response:
        return _json(request.app.openapi())

    @router.get("/docs", include_in_schema=False)
    @needs(Scope.READ, None, when=When.OFF_LOOPBACK)
    def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title="Okapia",
            swagger_js_url=f"{root}{DOCS_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{DOCS_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{DOCS_ASSETS}/favicon.png",
        )

    @router.get("/", include_in_schema=False)
    @public
    def root() -> Response:
        return RedirectResponse("/docs")


def render_error(problem: Problem) -> Response:
    """Answer with the code and the sentence; browsers ask for a key when it is missing."""
    body = {"status": "not ready", "code": problem.code, "message": problem.message}
    headers = {"WWW-Authenticate": 'Basic realm="Okapia: any name, an API key as password"'}
    is_anonymous = problem.status == 401
    return Response(
        orjson.dumps(body), problem.status, headers if is_anonymous else None, media_type="application/json"
    )


dialect = Dialect("operations", "Okapia's own", build)


def _json(body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
