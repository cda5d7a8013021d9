"""What can be added to Okapia: modules of its own folders, and what other packages name as entry points.

A folder, such as `okapia.dialects`, has a word, `dialect`. A module in it that exports the word is a plug-in,
and so is the object that an entry point of the group `okapia.dialects` leads to.
"""

import importlib
import pkgutil
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Protocol, TypeVar

from okapia.domain.errors import InvalidSettings

OWN = "okapia"
"""Where a folder's own modules come from, in words."""


class Named(Protocol):
    """What has a name of its own, by which people ask for it."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a name leads to.

    Attributes:
        origin: the package that it came with, and its version: `okapia-fomo 0.1.0`.
    """

    value: object
    origin: str


def discover(folder: ModuleType, word: str, kind: type[N]) -> list[N]:
    """Load all plug-ins of a folder in the order of their modules' names, then those of other packages.

    Raises:
        InvalidSettings: one cannot be imported, or is no `kind` (the message names its package), or two
            have one name.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    modules = (importlib.import_module(f"{folder.__name__}.{name}") for name in names)
    found = [value for module in modules if isinstance(value := getattr(module, word, None), kind)]
    found += [_loaded(point, kind) for point in _points(folder)]
    twice = sorted(name for name, times in Counter(plugin.name for plugin in found).items() if times > 1)
    if twice:
        raise InvalidSettings(f"two plug-ins of {folder.__name__} have the name {twice[0]!r}")
    return found


def find(folder: ModuleType, word: str, name: str) -> Plugin | None:
    """Load the one plug-in that goes by the name of its module, or of its entry point.

    No other package's code is run. An entry point never takes the place of a module of the folder.

    Raises:
        InvalidSettings: it cannot be imported, or two packages have the name; the message names them.
    """
    module = _module(folder, name)
    if hasattr(module, word):
        return Plugin(getattr(module, word), OWN)
    points = [point for point in _points(folder) if point.name == name]
    if len(points) > 1:
        packages = " and by ".join(map(_package, points))
        raise InvalidSettings(f"{name} of {folder.__name__} is claimed by {packages}")
    return Plugin(_load(points[0]), _package(points[0])) if points else None


def origin(folder: ModuleType, name: str) -> str:
    """Say, without running its code, which package a plug-in comes with; empty when none has it."""
    if name in {module.name for module in pkgutil.iter_modules(folder.__path__)}:
        return OWN
    return " and ".join(_package(point) for point in _points(folder) if point.name == name)


def _module(folder: ModuleType, name: str) -> ModuleType | None:
    full_name = f"{folder.__name__}.{name}"
    try:
        return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name == full_name:
            return None
        raise InvalidSettings(f"{full_name} cannot be imported: {error}") from error


def _points(folder: ModuleType) -> list[EntryPoint]:
    return sorted(entry_points(group=folder.__name__), key=lambda point: point.name)


def _loaded(point: EntryPoint, kind: type[N]) -> N:
    value = _load(point)
    if not isinstance(value, kind):
        got = type(value).__name__
        raise InvalidSettings(
            f"the plug-in {point.name} of {_package(point)} is no {kind.__name__} but a {got}"
        )
    return value


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # whatever a stranger's module does when it is imported
        raise InvalidSettings(
            f"the plug-in {point.name} of {_package(point)} cannot be imported: {error}"
        ) from error


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
