"""The table of deployments is read strictly, and what is wrong is named by line and value."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidDeployments, InvalidRequest
from okapia.pipeline.deployments import Deployments, parse_deployments, parse_timezone, read_deployments
from okapia.pipeline.places import Coordinates

HEADER = "camera,latitude,longitude,start,end,timezone\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_row_says_where_when_and_by_which_clock() -> None:
    table = parse_deployments(HEADER + "North,-2.33,34.83,2024-05-01,2024-06-30 12:00,Africa/Nairobi\n")

    found = table.of("North", at("2024-06-30 12:00:00"))

    assert found is not None
    assert (found.place, str(found.timezone), found.line) == (Coordinates(-2.33, 34.83), "Africa/Nairobi", 2)
    assert table.of("North", at("2024-06-30 12:00:01")) is None
    assert table.of("North", at("2024-04-30 23:59:59")) is None
    assert table.of("South", at("2024-05-02")) is None


def test_a_day_as_end_is_included() -> None:
    table = parse_deployments(HEADER + "North,,,2024-05-01,2024-05-01,\n")

    assert table.of("North", at("2024-05-01 23:59:59")) is not None
    assert table.of("North", at("2024-05-02 00:00:00")) is None


def test_a_camera_has_several_periods_one_of_them_open() -> None:
    table = parse_deployments(
        HEADER + "North,1,1,2024-06-01,,\nSouth,3,3,,,\nNorth,2,2,2024-05-01,2024-05-31,\n"
    )

    later, earlier = table.of("North", at("2030-01-01")), table.of("North", at("2024-05-31 20:00"))

    assert later is not None
    assert earlier is not None
    assert (later.place, earlier.place) == (Coordinates(1, 1), Coordinates(2, 2))
    assert table.of("North", None) is None
    assert table.of("South", None) is not None
    assert table.cameras == ("North", "South")


def test_columns_come_in_any_order_with_others_between_and_semicolons() -> None:
    table = parse_deployments(
        "Bait; TIMEZONE ;Longitude;latitude;Camera\nfish;UTC;34.83;-2.33; North \n\n;;;;\n"
    )

    found = table.of("North", None)

    assert found is not None
    assert found.place == Coordinates(-2.33, 34.83)


def test_short_rows_are_filled_with_nothing() -> None:
    found = parse_deployments(HEADER + "North\n").of("North", None)

    assert found is not None
    assert (found.place, found.start, found.end, found.timezone) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns camera, latitude"),
        ("name,latitude\nNorth,1\n", "line 1: expected the columns .* got name, latitude"),
        ("camera,lattitude\nNorth,1\n", "line 1: expected the column latitude, got lattitude"),
        ("camera,time zone\nNorth,UTC\n", "line 1: expected the column timezone, got time zone"),
        ("camera,camera\nNorth,UTC\n", "line 1: expected each column once, got camera 2 times"),
        (HEADER + ",1,1,,,\n", "line 2: expected a camera"),
        (HEADER + "North,91,1,,,\n", "line 2: expected a latitude of -90 to 90 degrees, got 91"),
        (HEADER + "North,1,nan,,,\n", "line 2: expected a longitude of -180 to 180 degrees, got nan"),
        (HEADER + "North,1,,,,\n", "line 2: expected a longitude with the latitude, got none"),
        (HEADER + "North,2 deg,1,,,\n", "line 2: expected a latitude in degrees .* got '2 deg'"),
        (HEADER + "North,2,33,34,83,,,,\n", "line 2: expected 6 cells, got 9"),
        (HEADER + "North,,,05/01/2024,,\n", "line 2: expected a start such as .* got '05/01/2024'"),
        (HEADER + "North,,,2024-02-30,,\n", "line 2: expected a start such as .* got '2024-02-30'"),
        (
            HEADER + "North,,,,2024-05-01T10:00+02:00,\n",
            "line 2: expected an? end such as .* got '2024-05-01T10",
        ),
        (
            HEADER + "North,,,2024-05-02,2024-05-01,\n",
            "line 2: expected start before end, got 2024-05-02 after",
        ),
        (
            HEADER + "North,,,,,Europe/Berln\n",
            "line 2: expected a time zone .* got 'Europe/Berln'; .*Europe/Berlin",
        ),
        (HEADER + "A,,,,,\nNorth,1,1,,,\nNorth,1,1,,,\n", "line 4: North has the same period in line 3"),
        (
            HEADER + "North,1,1,2024-05-05,,\nNorth,2,2,2024-05-01,2024-05-05,\n",
            "line 2: the period of North overlaps that in line 3",
        ),
        (HEADER + "North,1,1,2024-05-01,,\nNorth,2,2,2024-06-01,,\n", "line 3: .* overlaps that in line 2"),
        (HEADER + "North,1,1,,2024-05-01,\nNorth,2,2,,2024-06-01,\n", "overlaps"),
        (HEADER + "North,\x00,1,,,\n", "line 2"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_value(text: str, message: str) -> None:
    with pytest.raises(InvalidDeployments, match=message) as caught:
        parse_deployments(text)

    assert caught.value.param == "deployments"


def test_a_cell_with_line_breaks_is_one_cell() -> None:
    table = parse_deployments('camera,notes,latitude,longitude\nNorth,"by the\nriver",1,1\nSouth,,2,2\n')

    assert table.cameras == ("North", "South")


def test_a_missing_file_and_another_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDeployments, match=r"cannot read deployments\.csv"):
        read_deployments(tmp_path / "deployments.csv")

    (tmp_path / "latin.csv").write_bytes("camera\nHöhle\n".encode("cp1252"))
    with pytest.raises(InvalidDeployments, match=r"expected latin\.csv in UTF-8"):
        read_deployments(tmp_path / "latin.csv")


def test_accents_may_be_composed_or_not() -> None:
    table = parse_deployments("camera\nH\u00f6hle\n")

    assert table.of("Ho\u0308hle", None) is not None
    assert table.has("Ho\u0308hle")


def test_no_table_knows_nothing() -> None:
    assert Deployments().of("North", at("2024-05-01")) is None


@pytest.mark.parametrize(
    ("text", "hours"),
    [("+02:00", 2), ("-0330", -3.5), ("UTC+2", 2), ("UTC", 0), ("GMT-5", -5), ("+14:00", 14)],
)
def test_a_zone_may_be_a_fixed_offset(text: str, hours: float) -> None:
    assert parse_timezone(text).utcoffset(at("2024-05-01")) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "Mars/Olympus", "+15:00", "+02:75", "../etc/passwd", "/etc/localtime", "Europe"]
)
def test_another_zone_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a time zone"):
        parse_timezone(text)
