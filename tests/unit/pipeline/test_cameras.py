"""Which camera took a picture, and what is known of it: from folders, patterns and the table."""

import csv
import io
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import (
    CamerasWithoutPlace,
    CamerasWithoutTimezone,
    InvalidRequest,
    OutputNotWritable,
)
from okapia.pipeline.camera_folders import is_camera_made, is_plain_date
from okapia.pipeline.cameras import (
    Cameras,
    DeepestFolder,
    Picture,
    deployments_csv,
    infer_table,
    parse_camera_rule,
    write_deployments,
)
from okapia.pipeline.deployments import parse_deployments, read_deployments
from okapia.pipeline.places import Coordinates

MAY_1, MAY_9 = datetime(2024, 5, 1, 6, 30), datetime(2024, 5, 9, 18, 0)  # noqa: DTZ001 - camera times
TABLE = """\
camera,latitude,longitude,start,end,timezone
River,-2.33,34.83,2024-05-01,2024-05-05,Africa/Dar_es_Salaam
River,-2.40,34.90,2024-05-06,,Africa/Dar_es_Salaam
Hill,-2.50,34.70,,,
Gate,,,,,+03:00
"""


@pytest.mark.parametrize(
    "folder",
    [
        "DCIM",
        "dcim",
        "DCIM2",
        "DCIM (2)",
        "100RECNX",
        "101RECNX",
        "RECONYX100",
        "100MEDIA",
        "101EK113",
        "100_BTCF",
        "100DSCIM",
        "101MSDCF",
    ],
)
def test_folders_that_cameras_make_are_known(folder: str) -> None:
    assert is_camera_made(folder)


@pytest.mark.parametrize(
    "folder", ["cam1", "100", "123RIVER", "RIVER100", "CAM_0001", "DCIMA", "North", "42", ""]
)
def test_folders_that_people_make_are_kept(folder: str) -> None:
    assert not is_camera_made(folder)


def test_inside_a_cards_root_every_numbered_folder_is_the_cameras() -> None:
    assert is_camera_made("123RIVER", parent="DCIM")
    assert not is_camera_made("RIVER", parent="DCIM")


@pytest.mark.parametrize(
    "folder",
    [
        "2024-05-01",
        "2024_05_01",
        "2024.5.1",
        "20240501",
        "20240501_063000",
        "2024-05-01_1230",
        "2024-05",
        "01.05.2024",
        "1-5-2024",
        "1 May 2024",
        "01May2024",
        "May 2024",
        "May 1, 2024",
        "2024-May-01",
        " 2024-05-01 ",
        "2024-05-01 to 2024-06-01",
        "20240501-20240601",
    ],
)
def test_plain_dates_are_known(folder: str) -> None:
    assert is_plain_date(folder)


@pytest.mark.parametrize(
    "folder",
    [
        "2024",
        "2041",
        "202405",
        "20241301",
        "May",
        "cam 2024-05-01",
        "2024-05-01 North",
        "C240501",
        "12-34-5678",
    ],
)
def test_years_numbers_and_dates_with_a_name_are_kept(folder: str) -> None:
    assert not is_plain_date(folder)


@pytest.mark.parametrize(
    ("name", "camera"),
    [
        ("North/IMG_1.JPG", "North"),
        ("Site A/North/DCIM/100RECNX/IMG_1.JPG", "North"),
        ("North/2024-05-01/DCIM/100_BTCF/IMG_1.JPG", "North"),
        ("North/card 2/100MEDIA/IMG_1.JPG", "card 2"),
        ("DCIM/100EK113/IMG_1.JPG", "survey"),
        ("IMG_1.JPG", "survey"),
    ],
)
def test_the_deepest_folder_that_lasts_is_the_camera(name: str, camera: str) -> None:
    assert parse_camera_rule(None, root="survey").camera_of(Picture(name)) == camera


@pytest.mark.parametrize("root", ["", "DCIM", "2024-05-01"])
def test_without_any_such_folder_the_camera_is_not_known(root: str) -> None:
    assert DeepestFolder(root).camera_of(Picture("100RECNX/IMG_1.JPG")) is None


@pytest.mark.parametrize(
    ("rule", "camera"),
    [
        ("folder:1", "Site A"),
        ("folder:2", "North"),
        ("folder:-1", "DCIM"),
        ("folder:-2", "North"),
        ("folder:4", None),
        ("folder:-4", None),
        (r"regex:IMG_(\w+)_", "C07"),
        (r"regex:(?P<n>Site) (?P<camera>\w)", "A"),
        (r"regex:No\w+", "North"),
        (r"regex:South", None),
        ("exif:serial", "H500"),
        ("", "North"),
    ],
)
def test_a_rule_names_the_camera(rule: str, camera: str | None) -> None:
    picture = Picture("Site A/North/DCIM/IMG_C07_1.JPG", serial="H500")

    assert parse_camera_rule(rule).camera_of(picture) == camera


@pytest.mark.parametrize(
    "rule",
    [
        "folder",
        "folder:",
        "folder:0",
        "folder:x",
        "folder:1.5",
        "regex:",
        "regex:(",
        "exif:make",
        "North",
        ":",
    ],
)
def test_another_rule_is_refused(rule: str) -> None:
    with pytest.raises(InvalidRequest, match="expected ") as caught:
        parse_camera_rule(rule)

    assert caught.value.param == "camera"


def test_place_period_and_zone_come_from_the_table() -> None:
    cameras = Cameras(DeepestFolder(), parse_deployments(TABLE))

    early = cameras.placement(Picture("River/1.jpg", MAY_1))
    late = cameras.placement(Picture("River/2.jpg", MAY_9))

    assert (early.camera, early.place, str(early.timezone)) == (
        "River",
        Coordinates(-2.33, 34.83),
        "Africa/Dar_es_Salaam",
    )
    assert late.place == Coordinates(-2.40, 34.90)


def test_nothing_is_invented() -> None:
    cameras = Cameras(DeepestFolder(), parse_deployments(TABLE))

    assert cameras.placement(Picture("River/1.jpg")).deployment is None
    assert cameras.placement(Picture("Hill/1.jpg")).place == Coordinates(-2.50, 34.70)
    assert cameras.placement(Picture("Hill/1.jpg")).timezone is None
    assert cameras.placement(Picture("Lake/1.jpg", MAY_1)).deployment is None
    assert cameras.placement(Picture("1.jpg", MAY_1)).camera is None


def test_cameras_without_a_place_are_named() -> None:
    cameras = Cameras(DeepestFolder(), parse_deployments(TABLE))
    pictures = [
        Picture("Lake/1.jpg", MAY_1),
        Picture("Lake/2.jpg", MAY_1),
        Picture("Gate/1.jpg", MAY_1),
        Picture("Hill/1.jpg", MAY_1),
        Picture("River/0.jpg", datetime(2023, 1, 1)),  # noqa: DTZ001 - camera time
        Picture("River/1.jpg"),
        Picture("1.jpg"),
    ]

    with pytest.raises(CamerasWithoutPlace) as caught:
        cameras.require_places(pictures)

    assert caught.value.cameras == [
        "(pictures without a camera)",
        "Gate",
        "Lake",
        "River (outside its periods)",
        "River (pictures without a time)",
    ]
    assert "Gate, Lake, River (outside its periods)" in str(caught.value)


def test_cameras_without_a_zone_are_named() -> None:
    cameras = Cameras(DeepestFolder(), parse_deployments(TABLE))

    with pytest.raises(CamerasWithoutTimezone) as caught:
        cameras.require_timezones([Picture("Hill/1.jpg", MAY_1), Picture("Gate/1.jpg", MAY_1)])

    assert caught.value.cameras == ["Hill"]


def test_what_is_known_of_every_camera_is_required_in_silence() -> None:
    cameras = Cameras(DeepestFolder(), parse_deployments(TABLE))

    cameras.require_places([Picture("River/1.jpg", MAY_1), Picture("Hill/1.jpg")])
    cameras.require_timezones([Picture("River/1.jpg", MAY_1), Picture("Gate/1.jpg")])


def test_the_table_is_inferred_with_first_and_last_pictures() -> None:
    pictures = [
        Picture("North/DCIM/2.jpg", MAY_9),
        Picture("North/DCIM/1.jpg", MAY_1),
        Picture("North/DCIM/0.jpg"),
        Picture("Hill, south/1.jpg"),
        Picture("1.jpg", MAY_1),
    ]

    seen = infer_table(pictures, DeepestFolder())

    assert seen.without_camera == 1
    assert deployments_csv(seen).splitlines() == [
        "camera,latitude,longitude,start,end,timezone,first_picture,last_picture,pictures",
        '"Hill, south",,,,,,,,1',
        "North,,,,,,2024-05-01 06:30:00,2024-05-09 18:00:00,3",
    ]


def test_folders_of_one_name_are_doubtful() -> None:
    pictures = [
        Picture("Site A/North/2024-05-01/1.jpg"),
        Picture("Site A/North/2024-06-01/1.jpg"),
        Picture("Site B/North/1.jpg"),
        Picture("Site B/Hill/DCIM/1.jpg"),
        Picture("Site B/Hill/DCIM/100RECNX/1.jpg"),
    ]

    assert [seen.camera for seen in infer_table(pictures, DeepestFolder()).doubtful] == ["North"]
    assert infer_table(pictures, parse_camera_rule("folder:1")).doubtful == ()
    assert infer_table(pictures, parse_camera_rule("regex:North|Hill")).doubtful != ()


def test_an_inferred_table_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deployments.csv"
    seen = infer_table([Picture("Höhle, Süd/1.jpg", MAY_1), Picture("=1+1/1.jpg")], DeepestFolder())

    write_deployments(path, seen)

    assert read_deployments(path).cameras == ("=1+1", "Höhle, Süd")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_table_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "deployments.csv"
    path.write_text("camera\nfilled in\n", encoding="utf-8")

    with pytest.raises(OutputNotWritable, match=r"deployments\.csv"):
        write_deployments(path, infer_table([], DeepestFolder()))

    assert path.read_text(encoding="utf-8") == "camera\nfilled in\n"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1),
        min_size=1,
    )
)
def test_whatever_a_folder_is_called_its_camera_survives_the_table(folders: list[str]) -> None:
    seen = infer_table([Picture(f"{folder}/1.jpg") for folder in folders], parse_camera_rule("folder:1"))

    rows = list(csv.DictReader(io.StringIO(deployments_csv(seen), newline="")))

    assert [row["camera"] for row in rows] == sorted(set(folders))
