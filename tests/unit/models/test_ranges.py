"""The reader of ranges: what an expression means, what is refused, and the rules that come of it."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelError
from okapia.models.ranges import RANGE_COLUMNS, Area, Ranges, builtin_ranges, read_ranges

REGIONS_TEXT = """\
region,where,note
british_isles,GBR IRL,
france,FRA,
western_europe,british_isles + france,
scandinavia,NOR SWE,
"""


def read(tmp_path: Path, *lines: str, regions: str = REGIONS_TEXT) -> Ranges:
    """Read a table whose lines are `genus species: where`."""
    keys = [line.partition(":") for line in lines]
    cells = [f"mammalia,o,f,{name.replace(' ', ',')},,{where.strip()}," for name, _, where in keys]
    (tmp_path / "ranges.csv").write_text("\n".join([",".join(RANGE_COLUMNS), *cells]), encoding="utf-8")
    (tmp_path / "regions.csv").write_text(regions, encoding="utf-8")
    return read_ranges(tmp_path / "ranges.csv", regions=tmp_path / "regions.csv")


def area_of(tmp_path: Path, where: str) -> Area | None:
    return read(tmp_path, f"vulpes vulpes: {where}").allowed(("mammalia", "o", "f", "vulpes", "vulpes"))


# --- as rules -------------------------------------------------------------------------


def test_rules_have_the_shape_of_a_speciesnet_geofence() -> None:
    rules = builtin_ranges().as_rules()

    assert rules["mammalia;carnivora;ursidae;ailuropoda;melanoleuca"] == {"allow": {"CHN": []}}


def test_an_animal_that_is_everywhere_has_no_rule() -> None:
    assert "mammalia;carnivora;felidae;felis;catus" not in builtin_ranges().as_rules()


def test_an_extinct_animal_is_blocked_in_every_country() -> None:
    ranges = builtin_ranges()

    # An empty `allow` would mean everywhere.
    assert ranges.as_rules()["trilobita;;;;"] == {"block": {code: [] for code in sorted(ranges.world)}}


# --- the reader -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "countries"),
    [
        ("FRA", "FRA"),
        ("western_europe", "FRA GBR IRL"),
        ("western_europe - GBR", "FRA IRL"),
        ("western_europe - GBR IRL", "FRA"),
        ("western_europe-GBR+GBR", "FRA GBR IRL"),
        ("british_isles - GBR + FRA", "FRA IRL"),
        ("everywhere - FRA", "GBR IRL NOR SWE"),
        ("nowhere", ""),
    ],
)
def test_terms_are_taken_from_left_to_right(tmp_path: Path, where: str, countries: str) -> None:
    assert area_of(tmp_path, where) == frozenset(countries.split())


@pytest.mark.parametrize("where", ["everywhere", "western_europe scandinavia", "scandinavia FRA GBR IRL"])
def test_a_range_that_is_the_whole_world_fences_nothing(tmp_path: Path, where: str) -> None:
    assert area_of(tmp_path, where) is None


def test_a_taxon_without_a_row_is_fenced_nowhere(tmp_path: Path) -> None:
    ranges = read(tmp_path, "vulpes vulpes: FRA")

    assert ranges.allowed(("mammalia", "o", "f", "vulpes", "")) is None


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("western_europa", "unknown region or country 'western_europa'; did you mean 'western_europe'?"),
        ("KEN", "unknown region or country 'KEN'"),
        ("france - GBR", "'- GBR' takes nothing away: no country of it stands before it"),
        ("france +", "expected a region or country after '+', got the end of 'france +'"),
        ("france + - GBR", "expected a region or country after '+', got '-'"),
        ("", "expected a region or country after 'the start', got the end of ''"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_file_and_line(
    tmp_path: Path, where: str, complaint: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, "vulpes lagopus: FRA", f"vulpes vulpes: {where}")

    assert str(caught.value) == f"ranges.csv, line 3: {complaint}"


def test_a_taxon_with_two_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"^ranges.csv, line 3: mammalia;o;f;vulpes;vulpes has a row already$"
    ):
        read(tmp_path, "vulpes vulpes: FRA", "vulpes vulpes: GBR")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("france,GBR,", "region 'france' is defined already"),
        ("everywhere,GBR,", "region 'everywhere' is defined already"),
        ("Iberia,ESP PRT,", "expected a region's name in lower case, words joined by _, got 'Iberia'"),
        ("iberia,ESP portugal,", "unknown region or country 'portugal'"),
        ("iberia,ESP PRT", "expected 3 cells, got 2"),
    ],
)
def test_a_wrong_region_is_refused_with_its_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, "vulpes vulpes: FRA", regions=f"{REGIONS_TEXT}{line}\n")

    assert str(caught.value) == f"regions.csv, line 6: {complaint}"


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"^regions.csv: expected the columns region, where, note, got a, b$"
    ):
        read(tmp_path, "vulpes vulpes: FRA", regions="a,b\n")
