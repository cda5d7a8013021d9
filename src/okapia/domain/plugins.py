"""What other packages add to Okapia: objects that they name as entry points."""

from importlib.metadata import entry_points
from typing import TypeVar

from okapia.domain.errors import InvalidSettings

T = TypeVar("T")


def plugins(group: str, kind: type[T]) -> list[T]:
    """Load the objects of an entry-point group, in the order of their names.

    Raises:
        InvalidSettings: one cannot be imported, or is no `kind`; the message names its package.
    """
    found = []
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        origin = f"{point.name} of {point.dist.name if point.dist else point.value}"
        try:
            plugin = point.load()
        except Exception as error:  # whatever a stranger's module does when it is imported
            raise InvalidSettings(f"the plug-in {origin} cannot be imported: {error}") from error
        if not isinstance(plugin, kind):
            raise InvalidSettings(f"the plug-in {origin} is no {kind.__name__} but a {type(plugin).__name__}")
        found.append(plugin)
    return found
