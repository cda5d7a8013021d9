"""Lists are read as people have them, in constant memory, and refused whole where they are wrong."""

import json
import re
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.batches.folder_source import FolderSource
from okapia.batches.items import Item
from okapia.batches.list_source import MOST_CHARACTERS, ListEntry, ListSource, parse_list
from okapia.domain.errors import InvalidRequest

SIGNATURE = "sig=aardwolf"
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


def names(*chunks: bytes) -> list[str]:
    return [entry.locator for entry in parse_list(chunks)]


def split(data: bytes, size: int) -> Iterable[bytes]:
    return (data[place : place + size] for place in range(0, len(data), size))


@given(st.lists(texts), st.integers(1, 7))
def test_a_json_list_of_names_is_read_however_it_arrives(listed: list[str], size: int) -> None:
    data = json.dumps(listed, ensure_ascii=False).encode()

    assert list(parse_list(split(data, size))) == [ListEntry(name) for name in listed]


@given(st.lists(st.tuples(texts, texts), min_size=1), st.integers(1, 7))
def test_pairs_carry_what_is_said_of_a_picture(listed: list[tuple[str, str]], size: int) -> None:
    data = json.dumps(listed).encode()

    assert list(parse_list(split(data, size))) == [ListEntry(*pair) for pair in listed]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_has_a_name_a_line_in_any_encoding_that_windows_writes(encoding: str, size: int) -> None:
    data = "cam 1/fox.jpg\r\n\r\nwölfe/a.jpg\ncam 1/fox.jpg".encode(encoding)

    assert names(*split(data, size)) == ["cam 1/fox.jpg", "wölfe/a.jpg", "cam 1/fox.jpg"]


def test_names_may_begin_with_blanks_and_blank_lines_name_nothing() -> None:
    assert names(b" fox.jpg\n  \n", b"\n lynx.jpg") == [" fox.jpg", " lynx.jpg"]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    entries = parse_list([b"\xff\xfea"])

    with pytest.raises(InvalidRequest):
        next(entries)


def test_names_that_are_no_utf_8_come_through() -> None:
    assert names(b"cam/\xff.jpg\n") == ["cam/\udcff.jpg"]


def test_a_result_file_of_megadetector_names_its_pictures_failed_ones_too() -> None:
    result = {
        "info": {"format_version": "1.5"},
        "images": [
            {"file": "cam\\fox.jpg", "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}]},
            {"failure": "Failure image access", "file": "cam/gone.jpg"},
        ],
    }

    assert names(json.dumps(result).encode()) == ["cam/fox.jpg", "cam/gone.jpg"]


def test_a_result_file_of_speciesnet_names_its_pictures() -> None:
    result = {"predictions": [{"filepath": "cam/fox.jpg", "detections": [{"label": "animal"}]}]}

    assert names(json.dumps(result).encode()) == ["cam/fox.jpg"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[]", b" [ ] ", b'{"images": []}', b'{"predictions": []}'])
def test_a_list_may_be_empty(data: bytes) -> None:
    assert names(data) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'["a.jpg", ["b.jpg", "meta"]]', "entry 2 of the list: expected all entries as strings, or all as"),
        (b'[["b.jpg", "meta"], "a.jpg"]', "entry 2 of the list: expected all entries as strings, or all as"),
        (b'["a.jpg", 7]', "entry 2 of the list: expected all entries as strings, or all as"),
        (b'[{"file": "a.jpg"}]', "entry 1 of the list: expected all entries as strings, or all as"),
        (b'[["a.jpg"]]', "entry 1 of the list: expected a pair of two strings"),
        (b'[["a.jpg", "meta", "more"]]', "entry 1 of the list: expected a pair of two strings"),
        (b'[["a.jpg", null]]', "entry 1 of the list: expected a pair of two strings"),
        (b'["a.jpg", "b', "JSON that is cut off"),
        (b'["a.jpg"', "JSON that is cut off"),
        (b'[["a.jpg", "meta"', "JSON that is cut off"),
        (b'["a.jpg"] ["b.jpg"]', "JSON that is cut off or wrong"),
        (b'{"images": [{"file": "a.jpg"}', "JSON that is cut off"),
        (b'{"pictures": []}', "an object without `images` and `predictions`"),
        (b'{"images": [{"detections": []}]}', "entry 1 of the list: expected a name"),
        (b'["a.jpg", ""]', "entry 2 of the list: expected a name"),
        (b'["a.jpg", "b\\u0000.jpg"]', "entry 2 of the list: expected a name without NUL"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "entry 1 of the list: expected a name without NUL"),
        (b"\xff\xfea", "bytes that are no utf-16"),
        (b"x" * (MOST_CHARACTERS + 1), "entry 1 of the list: expected at most 16,384 characters"),
    ],
)
def test_a_wrong_list_is_refused_and_the_entry_named(data: bytes, expected: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(expected)):
        names(data)


@pytest.mark.parametrize(
    "data",
    [f'["https://a.test/1.jpg?{SIGNATURE}"', f'["https://a.test/1.jpg?{SIGNATURE}", 7]', f"a?{SIGNATURE}\0"],
)
def test_a_refusal_repeats_nothing_of_the_list(data: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        names(data.encode())

    assert SIGNATURE not in str(refused.value)
    assert SIGNATURE not in repr(ListEntry(data))


def test_memory_does_not_grow_with_the_list() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"["
        for number in range(2000):
            yield b",".join(b'["cam/%d-%d.jpg","m"]' % (number, place) for place in range(100))
            yield b"," if number < 1999 else b"]"

    tracemalloc.start()

    number = sum(1 for _ in parse_list(chunks()))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 200_000
    assert peak < 2_000_000


# --- in a place ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ["cam/fox.jpg", "cam/lynx.jpg"]:
        path = tmp_path / "survey" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    return tmp_path / "survey"


def listed(folder: Path, *locators: str) -> ListSource:
    items = [Item(locator, meta=f"meta {place}") for place, locator in enumerate(locators)]
    return ListSource(FolderSource(folder, max_bytes=100), lambda: iter(items))


def test_a_picture_that_is_named_twice_is_two_pictures(folder: Path) -> None:
    source = listed(folder, "cam/lynx.jpg", "cam/fox.jpg", "cam/lynx.jpg")

    items = list(source.items())

    assert items == list(source.items())
    assert [(item.name, item.meta) for item in items] == [
        ("cam/lynx.jpg", "meta 0"),
        ("cam/fox.jpg", "meta 1"),
        ("cam/lynx.jpg", "meta 2"),
    ]
    assert [source.read(item) for item in items] == [b"cam/lynx.jpg", b"cam/fox.jpg", b"cam/lynx.jpg"]


@pytest.mark.parametrize("spelled", ["./cam/fox.jpg", "cam//fox.jpg", "{folder}/cam/fox.jpg"])
def test_a_picture_has_one_name_however_the_list_spells_it(folder: Path, spelled: str) -> None:
    source = listed(folder, spelled.format(folder=folder))

    [item] = source.items()

    assert item.name == "cam/fox.jpg"
    assert source.read(item) == b"cam/fox.jpg"


@pytest.mark.parametrize(
    "locator", ["../outside.jpg", "cam/../../outside.jpg", "/etc/passwd", "{folder}/../outside.jpg", "."]
)
def test_what_leads_out_of_the_folder_fails_and_is_not_left_out(folder: Path, locator: str) -> None:
    [odd, fine] = listed(folder, locator.format(folder=folder), "cam/fox.jpg").items()

    assert odd.problem == "expected a path below the folder of the batch, without `..`"
    assert fine.problem is None
