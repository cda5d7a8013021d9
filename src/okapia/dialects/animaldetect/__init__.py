"""Animal Detect's contract, which is our native API: boxes and species of one picture.

Field names, ranges and shapes follow the vendor's; what is ours is added beside them.
"""

from fastapi import APIRouter

from okapia.dialects.animaldetect import detect, reference
from okapia.dialects.base import Dialect
from okapia.web.context import Context

__all__ = ["dialect"]


def _build(context: Context) -> APIRouter:
    router = APIRouter()
    router.include_router(detect.build(context))
    router.include_router(reference.build(context))
    return router


dialect = Dialect("animaldetect", "Animal Detect API, state of June 2026", _build, also_under=("/api",))
