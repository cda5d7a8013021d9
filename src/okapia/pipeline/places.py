"""Where coordinates lie: country and US state, by polygon.

The borders are a data pack (`okapia.pipeline.place_pack`). Natural Earth's lines show who holds a
place, not who claims it, with one exception: Crimea follows its ISO 3166-2 code.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from okapia.domain.errors import CoordinatesIncomplete, InvalidRequest
from okapia.pipeline.countries import USA, Country, State, parse_country, parse_state
from okapia.pipeline.place_pack import Region, read_pack
from okapia.pipeline.polygons import PolygonIndex

AT_SEA_KM = 20.0
"""A point this far from every polygon still takes the nearest: islets and estuaries are simplified away."""

BORDER_KM = 2.0
"""How near to a country a point counts as in it, when that is the country that the caller names:
the borders are known to 1.1 km, and cameras like borders (they run through parks and along rivers)."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A point on the globe in degrees: latitude -90..90, longitude -180..180; made by `coordinates`."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Spot:
    """What a point lies in.

    Attributes:
        state: of the USA, its territories included; None elsewhere.
        region: name of the first-level division; empty when it has none.
        distance_km: 0 inside; up to `AT_SEA_KM` when the nearest region was taken.
    """

    country: Country
    state: State | None
    region: str
    distance_km: float


@dataclass(frozen=True, slots=True)
class PlaceWarning:
    """Why coordinates were not, or not wholly, used."""

    code: Literal["coordinates_outside_country", "coordinates_outside_state", "coordinates_at_sea"]
    message: str


@dataclass(frozen=True, slots=True)
class Place:
    """The country and the US state that range rules are asked about; None when it is not known."""

    country: Country | None
    state: State | None
    warnings: tuple[PlaceWarning, ...] = ()


def coordinates(latitude: float | None, longitude: float | None) -> Coordinates | None:
    """Check a pair of degrees; None when neither is given.

    Raises:
        InvalidRequest: one is missing, not a number, or out of range; `param` names it.
    """
    if latitude is None and longitude is None:
        return None
    return Coordinates(
        _degrees(latitude, "latitude", limit=90.0, other="longitude"),
        _degrees(longitude, "longitude", limit=180.0, other="latitude"),
    )


class Places:
    """The world's first-level regions, ready to be asked; one lives as long as the process."""

    def __init__(self, regions: Sequence[Region]) -> None:
        """Index the regions.

        Raises:
            PlacesUnavailable: shapely is not installed.
        """
        self._regions = tuple(region for region in regions for _ in region.polygons)
        self._index = PolygonIndex([polygon for region in regions for polygon in region.polygons])

    @classmethod
    def of_home(cls, home: Path) -> Self:
        """Read the pack of an Okapia home.

        Raises:
            PlacesUnavailable: it is not installed, damaged, or shapely is missing.
        """
        _, regions = read_pack(home)
        return cls(regions)

    def locate(self, point: Coordinates) -> Spot | None:
        """Give the region a point lies in, or the nearest within `AT_SEA_KM`; None farther out."""
        found = self._index.covering(point.longitude, point.latitude)
        if found is not None:
            return _spot(self._regions[found], 0.0)
        near = self._index.near(point.longitude, point.latitude, within_km=AT_SEA_KM)
        return _spot(self._regions[near[0][1]], near[0][0]) if near else None

    def around(self, point: Coordinates, *, within_km: float) -> list[Spot]:
        """Every region within a distance of a point, nearest first."""
        near = self._index.near(point.longitude, point.latitude, within_km=within_km)
        return [_spot(self._regions[number], km) for km, number in near]


def resolve(country: Country | None, state: State | None, point: Coordinates, places: Places) -> Place:
    """Bring together what the caller says and where the point lies; the caller's word wins.

    Without a country the point's is taken (`country=auto`); without a state the point's, where it
    lies in the caller's country. A US territory counts as the USA when the caller says so.
    """
    spot = places.locate(point)
    if spot is None:
        message = f"{_shown(point)} is more than {AT_SEA_KM:g} km from any land; the coordinates were ignored"
        return Place(country, state, (PlaceWarning("coordinates_at_sea", message),))
    if country is None:
        return Place(spot.country, spot.state)
    here = [s for s in (spot, *places.around(point, within_km=BORDER_KM)) if _lies_in(s, country)]
    if not here:
        message = (
            f"{_shown(point)} lies in {spot.country.name} ({spot.country.cca3}), not in "
            f"{country.name} ({country.cca3}); the coordinates were ignored"
        )
        return Place(country, state, (PlaceWarning("coordinates_outside_country", message),))
    return _with_state(country, state, here, point)


def _with_state(country: Country, state: State | None, here: Sequence[Spot], point: Coordinates) -> Place:
    """Take the point's state, or check the caller's against it."""
    if country.cca3 != USA:
        return Place(country, state)
    found = here[0].state
    if state is None or any(spot.state == state for spot in here):
        return Place(country, state or found)
    message = f"{_shown(point)} lies in {found.name if found else 'another state'}, not in {state.name}"
    return Place(country, state, (PlaceWarning("coordinates_outside_state", message),))


def _lies_in(spot: Spot, country: Country) -> bool:
    return spot.country == country or (country.cca3 == USA and spot.state is not None)


def _spot(region: Region, distance_km: float) -> Spot:
    country = parse_country(region.cca3)
    return Spot(country, _state(region, country), region.name, distance_km)


def _state(region: Region, country: Country) -> State | None:
    """The US state; for a territory, which has a country code of its own, that code's state."""
    if country.cca3 == USA:
        return parse_state(country, region.code)
    return _TERRITORIES.get(country.cca3)


_TERRITORIES = {
    parse_country(alpha2).cca3: parse_state(parse_country(USA), alpha2)
    for alpha2 in ("AS", "GU", "MP", "PR", "UM", "VI")
}
"""US territories by alpha-3 code: ISO 3166 gives them as countries and as subdivisions of the USA."""


def _degrees(value: float | None, name: str, *, limit: float, other: str) -> float:
    if value is None:
        raise CoordinatesIncomplete(f"expected a {name} with the {other}, got none", param=name)
    if not (math.isfinite(value) and -limit <= value <= limit):
        raise InvalidRequest(
            f"expected a {name} of -{limit:g} to {limit:g} degrees, got {value:g}", param=name
        )
    return float(value)


def _shown(point: Coordinates) -> str:
    return f"{point.latitude:g}, {point.longitude:g}"
