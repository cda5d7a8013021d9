"""What can be asked of a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

Field = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a call asks beside its pictures; what is None is left to the server.

    `filter` heeds `threshold`, `metadata`, `detector` and `tiles` only.

    Attributes:
        threshold: least confidence of a box, 0.01 to 0.99; the server's default is 0.2.
        classify: False for boxes without species.
        country: code or name; `auto` takes it from the coordinates.
        state: of the USA, two letters or a name.
        latitude: degrees, with `longitude`; used only together with `country`.
        smooth_herd: broad labels take a precise one found in the same picture.
        top_candidate: 1 to 10 further classes for each box.
        metadata: add size, camera, time and place from the file.
        detector: id of a model in place of the profile's; `classifier` likewise.
        tiles: 1 to 4 tiles a side that the picture is also looked at in, for small animals.
    """

    threshold: float | None = None
    classify: bool | None = None
    country: str | None = None
    state: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    smooth_herd: bool | None = None
    top_candidate: int | None = None
    metadata: bool | None = None
    detector: str | None = None
    classifier: str | None = None
    tiles: int | None = None

    def fields(self) -> dict[str, Field]:
        """Give what is set, by its name in the contract."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in given.items() if value is not None}


DEFAULTS = Options()


def form_of(given: Mapping[str, Field]) -> dict[str, str]:
    """Write fields as forms have them: booleans as `true` and `false`."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()
    }
