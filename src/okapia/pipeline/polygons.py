"""Polygons on the globe, by shapely: an optional library, loaded here and only when it is needed.

Coordinates are degrees, longitude first, as in GeoJSON; longitudes lie in -180..180.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from types import ModuleType

from okapia.domain.errors import PlacesUnavailable

KM_PER_DEGREE = 111.195
"""Of latitude, on a sphere of 6,371 km."""


def simplified(geometry: Mapping[str, object], *, tolerance: float) -> tuple[bytes, ...]:
    """Give the polygons of a GeoJSON geometry as WKB, no point of a border moved by more than `tolerance`.

    Each polygon is simplified by itself: neighbours may part or overlap by the tolerance (degrees).

    Raises:
        PlacesUnavailable: shapely is not installed.
    """
    shapely = _shapely()
    shape = shapely.make_valid(shapely.geometry.shape(geometry))
    parts = shapely.get_parts(shapely.simplify(shapely.get_parts(shape), tolerance))
    return tuple(bytes(part.wkb) for part in parts if part.geom_type == "Polygon" and part.area > 0)


class PolygonIndex:
    """Finds, of many polygons, those at a point; they are known by their number."""

    def __init__(self, polygons: Sequence[bytes]) -> None:
        """Index polygons given as WKB.

        Raises:
            PlacesUnavailable: shapely is not installed.
        """
        self._shapely = _shapely()
        self._polygons = self._shapely.from_wkb(list(polygons))
        self._tree = self._shapely.STRtree(self._polygons)

    def covering(self, longitude: float, latitude: float) -> int | None:
        """Give the polygon that a point lies in or on; the first of several."""
        point = self._shapely.Point(longitude, latitude)
        found = self._tree.query(point, predicate="intersects")
        return int(found.min()) if len(found) else None

    def near(self, longitude: float, latitude: float, *, within_km: float) -> list[tuple[float, int]]:
        """Give (distance in km, polygon) of all polygons within a distance, nearest first.

        The surroundings are taken for flat: true to a metre in a kilometre below 80 degrees for
        some tens of kilometres. The antimeridian is no border.
        """
        squeeze = max(math.cos(math.radians(latitude)), 1e-6)
        height = within_km / KM_PER_DEGREE
        width = min(height / squeeze, 180.0)
        found: dict[int, float] = {}
        for turn in (-360.0, 0.0, 360.0):
            x = longitude + turn
            window = (x - width, latitude - height, x + width, latitude + height)
            for polygon in map(int, self._tree.query(self._shapely.box(*window))):
                km = self._km_to(polygon, window, squeeze=squeeze)
                if km <= within_km:
                    found[polygon] = min(km, found.get(polygon, km))
        return sorted((km, polygon) for polygon, km in found.items())

    def _km_to(self, polygon: int, window: tuple[float, float, float, float], *, squeeze: float) -> float:
        """Distance from the window's middle to a polygon; infinite when it does not reach the window."""
        part = self._shapely.clip_by_rect(self._polygons[polygon], *window)
        if part.is_empty:
            return math.inf
        middle = ((window[0] + window[2]) / 2, (window[1] + window[3]) / 2)
        scale = (KM_PER_DEGREE * squeeze, KM_PER_DEGREE)
        flat = self._shapely.transform(part, lambda xy: (xy - middle) * scale)
        return float(flat.distance(self._shapely.Point(0.0, 0.0)))


def _shapely() -> ModuleType:
    try:
        return importlib.import_module("shapely")
    except ModuleNotFoundError as error:
        raise PlacesUnavailable(
            "finding the country of coordinates needs the library shapely; "
            "install it with `pip install 'okapia[places]'`"
        ) from error
