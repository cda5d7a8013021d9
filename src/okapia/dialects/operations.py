"""What operators and their tools ask: is it alive, is it ready, what does it count."""

import orjson
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import RedirectResponse, Response

from okapia.dialects.base import Context, Dialect, Problem, error_route


def build(context: Context) -> APIRouter:
    """Make `/healthz`, `/readyz`, `/metrics`, and `/`, which leads to the documentation."""
    router = APIRouter(tags=["operations"], route_class=error_route(render_error))

    @router.get("/healthz")
    def healthz() -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    @router.get("/readyz")
    def readyz() -> Response:
        """Run a tiny inference on the default models and say how they run."""
        reports = context.service.check_ready()
        return _json({"status": "ready", "models": list(reports)})

    @router.get("/metrics")
    def metrics() -> Response:
        """Give the counters in Prometheus' text format."""
        return Response(generate_latest(context.service.meters.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/", include_in_schema=False)
    def root() -> Response:
        return RedirectResponse("/docs")

    return router


def render_error(problem: Problem) -> Response:
    """Answer with the code and the sentence."""
    body = {"status": "not ready", "code": problem.code, "message": problem.message}
    return Response(orjson.dumps(body), problem.status, media_type="application/json")


dialect = Dialect("operations", "Okapia's own", build)


def _json(body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
