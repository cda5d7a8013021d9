"""Text files that people bring."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import BLANK
from okapia.pipeline.text_files import TableRow, read_labels, read_taxonomy, read_text, table_rows
from tests.unit.pipeline.carnivores import LION


def test_labels_and_a_taxonomy_are_read_with_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(b"\xef\xbb\xbf" + f"{LION.label}\r\n{BLANK.label} \r\n".encode())

    assert read_labels(file) == (LION, BLANK)
    assert LION in set(read_taxonomy(file))


@pytest.mark.parametrize("read", [read_labels, read_taxonomy])
def test_a_wrong_line_is_named_with_its_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    file = tmp_path / "labels.txt"
    file.write_text(f"{LION.label}\nlion\n")

    with pytest.raises(InvalidRequest, match=r"labels\.txt: line 2: expected the 7 parts"):
        read(file)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(b"lion\xff")

    with pytest.raises(InvalidRequest, match=r"labels\.txt: expected UTF-8 text, byte 4 is not"):
        read_text(file, param="labels")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot read"):
        read_text(tmp_path, param="labels")


def test_columns_are_found_in_any_order_and_case_with_others_between() -> None:
    text = '# a comment\nCommon,notes,Latin\nlion,"big, yellow", panthera leo \n,,\n'

    rows = list(table_rows(text, ("latin", "common"), param="species_list"))

    assert rows == [TableRow(3, ("panthera leo", "lion"))]


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="latin missing in an empty file") as refused:
        list(table_rows("\n# nothing\n", ("latin",), param="species_list"))

    assert refused.value.param == "species_list"


def test_a_cell_beyond_all_bounds_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidRequest, match="line 2: expected CSV"):
        list(table_rows(f"latin\n{'x' * 200_000}", ("latin",), param="species_list"))
