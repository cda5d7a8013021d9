"""Animal Detect's contract, which is our native API: boxes and species of one picture.

Field names, ranges and shapes follow the vendor's; what is ours is added beside them.
"""

from fastapi import APIRouter

from okapia.dialects.animaldetect import detect, jobs, reference, results, text, uploading, usage
from okapia.dialects.base import Dialect
from okapia.web.context import Context

__all__ = ["dialect"]


def _build(context: Context) -> APIRouter:
    rooms = (detect, text, results, jobs, uploading, usage, reference)
    # One flat list: routers within routers hide their routes from whoever looks for clashing paths.
    return APIRouter(routes=[route for room in rooms for route in room.build(context).routes])


dialect = Dialect("animaldetect", "Animal Detect API, state of June 2026", _build, also_under=("/api",))
