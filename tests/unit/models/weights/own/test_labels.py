"""Class names are read from the formats that people have; a detector's are sorted into categories."""

import re
from pathlib import Path

import pytest

from okapia.domain.errors import ModelError
from okapia.models.weights.own.labels import coco, read_labels, sort_labels

GAZELLE = "thomson's gazelle"


@pytest.mark.parametrize(
    "text",
    [
        f"okapi\nbongo\n{GAZELLE}\n",
        f"\ufeffokapi  \r\nbongo\r\n{GAZELLE}\r\n\r\n",
        f"name,index\nokapi,0\nbongo,1\n{GAZELLE},2\n",
        f"2,{GAZELLE}\n0,okapi\n1,bongo\n",
        f'["okapi", "bongo", "{GAZELLE}"]',
        f'{{"0": "okapi", "1": "bongo", "2": "{GAZELLE}"}}',
        f'{{"okapi": 0, "bongo": 1, "{GAZELLE}": 2}}',
    ],
    ids=["lines", "windows", "name,index", "index,name", "list", "by index", "by name"],
)
def test_every_format_gives_the_names_in_the_order_of_the_outputs(tmp_path: Path, text: str) -> None:
    file = tmp_path / "labels.txt"
    file.write_text(text, encoding="utf-8", newline="")

    assert read_labels(file) == ("okapi", "bongo", GAZELLE)


def test_outputs_without_a_name_have_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("okapi,0\nbongo,3\n")

    assert read_labels(file) == ("okapi", "", "", "bongo")


def test_names_with_a_comma_are_names(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("mouse, unknown\nokapi\n")

    assert read_labels(file) == ("mouse, unknown", "okapi")


def test_speciesnets_own_labels_are_read_line_by_line(shared_data: Path) -> None:
    (file,) = (shared_data / "speciesnet").glob("*.labels.txt")

    labels = read_labels(file)

    assert len(labels) == 2498
    assert all(label.count(";") == 6 and label == label.rstrip() for label in labels)


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("labels.txt", b"", "holds no labels"),
        ("labels.txt", b"\xff\xfe\x00okapi", "not a text file in UTF-8"),
        ("labels.csv", b"okapi,1\nbongo,1\n", "index 1 stands twice, for 'okapi' and 'bongo'"),
        ("labels.csv", b"okapi,0\nbongo,999999999999\n", "indices below 100,000, got 999,999,999,999"),
        ("labels.json", b'["okapi", 7]', "expected a JSON list of names"),
        ("labels.json", b'["okapi"', "begins like JSON and is none"),
        ("data.yaml", b"names:\n  0: okapi\n", "is YAML"),
    ],
)
def test_what_holds_no_labels_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, fact: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(ModelError, match=rf"{re.escape(name)}.*{fact}"):
        read_labels(file)


def test_a_missing_labels_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*labels\.txt"):
        read_labels(tmp_path / "labels.txt")


def test_megadetectors_classes_are_categories_in_any_case() -> None:
    result = sort_labels(["Animal", "People", "CAR"])

    assert result.categories == {"Animal": "animal", "People": "person", "CAR": "vehicle"}
    assert (result.names_species, result.default_category) == (False, "other")


def test_cocos_classes_are_sorted_as_the_built_in_detector_sorts_them() -> None:
    result = sort_labels(coco())

    assert result.categories["zebra"] == "animal"
    assert result.categories["boat"] == "vehicle"
    assert result.categories["traffic light"] == "other"
    assert not result.names_species


def test_names_that_nobody_knows_are_species() -> None:
    result = sort_labels(["okapi", "human", "blank", "uuid;mammalia;;;;;vehicle"])

    assert result.categories == {
        "human": "person",
        "blank": "other",
        "uuid;mammalia;;;;;vehicle": "vehicle",
    }
    assert (result.names_species, result.default_category) == (True, "animal")
    assert "okapi" in result.reason
