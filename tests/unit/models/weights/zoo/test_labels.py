"""Three formats, one answer: names in the order of the outputs."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelError
from okapia.models.weights.zoo.labels import LabelFormat, read_labels

EXPECTED = ("bongo", "", "okapi, forest", "duiker")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("one_per_line", "bongo\n\nokapi, forest\nduiker\n"),
        ("one_per_line", "\ufeffbongo\r\n\r\nokapi, forest  \r\nduiker\r\n\r\n"),
        ("one_per_line", "bongo\n\nokapi, forest\nduiker"),
        ("name_index_csv", 'bongo,0\n"okapi, forest",2\nduiker,3\n'),
        ("name_index_csv", "\ufeffname,index\r\nduiker,3\r\nokapi, forest,2\r\nbongo,0\r\n"),
        ("index_name_csv", '0,bongo\n2,"okapi, forest"\n3,duiker\n'),
        ("index_name_csv", "index,name\r\n3, duiker\r\n2,okapi, forest\r\n\r\n0,bongo"),
    ],
)
def test_labels_stand_at_their_index_and_holes_are_empty(
    tmp_path: Path, form: LabelFormat, text: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(text.encode())

    assert read_labels(path, form) == EXPECTED


@pytest.mark.parametrize(
    ("form", "content", "sentence"),
    [
        ("index_name_csv", b"0,bongo\n0,okapi\n", "the index 0 is there twice"),
        ("name_index_csv", b"bongo,1\nokapi,1\n", "the index 1 is there twice"),
        ("index_name_csv", b"bongo,0\n", r"line 1: expected index_name, got \['bongo', '0'\]"),
        ("index_name_csv", b"0,bongo\n-1,okapi\n", "line 2: expected index_name"),
        ("name_index_csv", b"bongo\n", "line 1: expected name_index"),
        ("index_name_csv", b"4000000000,bongo\n", "is not below 100,000"),
        ("one_per_line", b"", "has no label"),
        ("one_per_line", b"\n\n\n", "has no label"),
        ("index_name_csv", b"index,name\n", "has no label"),
        ("one_per_line", b"ok\xffapi\n", "expected UTF-8"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(
    tmp_path: Path, form: LabelFormat, content: bytes, sentence: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=rf"labels\.txt.*{sentence}"):
        read_labels(path, form)


def test_a_labels_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_labels(tmp_path, "one_per_line")
