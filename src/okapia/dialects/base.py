"""What every public contract is: a name, where it comes from, and how its router is made.

A dialect is one module that exports `dialect`: of this folder, or of any package that names it as an entry
point of the group `okapia.dialects`. It reaches the core through what its `Context` holds, and its routes go
through `okapia.web.door`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

import okapia.dialects
from okapia.domain import plugins
from okapia.web.context import Context


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public contract.

    Attributes:
        source: document that is imitated, and the date of the state imitated.
        build: makes its router; all its routes must use `door(context, render_error)`.
        also_under: path prefixes under which its routes are to be had as well, left out of the
            documentation.
    """

    name: str
    source: str
    build: Callable[[Context], APIRouter]
    also_under: tuple[str, ...] = ()


def discover() -> list[Dialect]:
    """Find the dialects of this folder, then those of other packages; raises as `plugins.discover` does."""
    return plugins.discover(okapia.dialects, "dialect", Dialect)
