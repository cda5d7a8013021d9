"""Results as CSV, as spreadsheets and R read them."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from okapia.domain.types import ImageResult
from okapia.formats.csv_rows import COLUMNS, result_format
from tests.unit.formats.answers import BLANK, GONE, TWO_BOXES, write


def written(folder: Path, *results: ImageResult) -> list[dict[str, str]]:
    path = write(result_format, folder / "results.csv", *results)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_box_has_a_row_and_so_has_a_picture_without_one_and_a_failure(tmp_path: Path) -> None:
    rows = written(tmp_path, TWO_BOXES, BLANK, GONE)

    assert [(row["file"], row["boxes"], row["box"], row["category"]) for row in rows] == [
        ("cam 1/a.jpg", "2", "1", "animal"),
        ("cam 1/a.jpg", "2", "2", "person"),
        ("cam 1/b.jpg", "0", "", ""),
        ("cam 1/%FF.jpg", "", "", ""),
    ]
    assert (rows[3]["failure_code"], rows[3]["failure_message"]) == ("missing", "not there")


def test_numbers_are_the_models_own(tmp_path: Path) -> None:
    fox, man = written(tmp_path, TWO_BOXES)

    assert float(fox["confidence"]) == 2 / 3
    assert [float(fox[side]) for side in ("x_min", "y_min", "box_width", "box_height")] == [
        0.1,
        0.2,
        0.3,
        0.4,
    ]
    assert (fox["scientific_name"], fox["common_name"]) == ("Vulpes vulpes", "red fox")
    assert (float(fox["score"]), fox["source"]) == (1 / 3, "classifier")
    assert (man["taxon"], man["score"]) == ("", "")


def test_every_row_tells_of_its_picture(tmp_path: Path) -> None:
    fox, man, blank = written(tmp_path, TWO_BOXES, BLANK)

    about = {"meta": "site 7", "sha256": "0f" * 32, "captured_at": "2026-06-01 05:30:12", "width": "2048"}
    assert about.items() <= fox.items()
    assert about.items() <= man.items()
    assert (blank["decoded_fraction"], blank["captured_at"]) == ("0.5", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_name_is_never_a_formula(tmp_path: Path, start: str) -> None:
    name = f'{start}HYPERLINK("http://a.example";"b").jpg'

    rows = written(tmp_path, replace(BLANK, name=name, meta=name))

    assert [rows[0]["file"], rows[0]["meta"]] == [f"'{name}", f"'{name}"]


def test_names_with_commas_quotes_and_line_breaks_are_one_cell(tmp_path: Path) -> None:
    name = 'Füchse, "1"\n2\u72d0.jpg'

    assert written(tmp_path, replace(BLANK, name=name))[0]["file"] == name


def test_the_columns_are_these_and_in_this_order(tmp_path: Path) -> None:
    path = write(result_format, tmp_path / "results.csv")

    assert path.read_bytes() == b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"
    assert COLUMNS[:6] == ("file", "meta", "sha256", "failure_code", "failure_message", "captured_at")
    assert len(COLUMNS) == len(set(COLUMNS)) == 25
