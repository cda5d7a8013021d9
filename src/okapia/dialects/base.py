"""What every public contract is: a name, where it comes from, and how its router is made.

A dialect is one module that exports `dialect`: of this folder, or of any package that names it as an entry
point of the group `okapia.dialects`. It reaches the core through what its `Context` holds, and its routes go
through `okapia.web.door`.
"""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

import okapia.dialects
from okapia.domain.errors import InvalidSettings
from okapia.domain.plugins import plugins
from okapia.web.context import Context

ENTRY_POINTS = "okapia.dialects"


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
    """Find the dialects of this folder in the order of their module names, then those of other packages.

    Raises:
        InvalidSettings: two have one name, or an entry point leads to something else.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(okapia.dialects.__path__))
    modules = (importlib.import_module(f"okapia.dialects.{name}") for name in names)
    found = [module.dialect for module in modules if hasattr(module, "dialect")]
    found += plugins(ENTRY_POINTS, Dialect)
    doubled = sorted(name for name, times in Counter(dialect.name for dialect in found).items() if times > 1)
    if doubled:
        raise InvalidSettings(f"two dialects have the name {doubled[0]!r}")
    return found
