"""Lists that say which pictures a batch is about: read as people have them, and looked up in a place."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import ijson

from okapia.batches.items import Item
from okapia.domain.errors import InvalidRequest, UnreadableFile

MOST_CHARACTERS = 16_384
"""Of a name, a URL with its signature, or what is said of a picture."""

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What Windows' programs write before a text; PowerShell's `>` is UTF-16."""

_PREFIXES = frozenset({"images.item", "predictions.item"})
_NAMES = frozenset({"images.item.file", "predictions.item.filepath"})
"""Where MegaDetector's and SpeciesNet's result files name a picture."""

_KINDS = (
    "expected a JSON list of names, a JSON list of [name, metadata] pairs, a result file of MegaDetector or "
    "SpeciesNet, or text with one name a line"
)


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One picture of a list.

    Attributes:
        locator: a path below the place of the batch, or a URL, which may be a secret.
        meta: what is to come back with the answer.
    """

    locator: str = field(repr=False)
    meta: str | None = None


class Place(Protocol):
    """Where what a list names lies."""

    def name_of(self, locator: str) -> str:
        """Give the name there; raises `UnreadableFile` for what cannot lie there."""
        ...

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        ...


class ListSource:
    """A `Source`: the pictures of a list, each as often as it is named, below a place."""

    def __init__(self, place: Place, listed: Callable[[], Iterator[Item]]) -> None:
        """Look for `listed`, whose names are the list's locators, in a place."""
        self._place = place
        self._listed = listed

    def items(self) -> Iterator[Item]:
        """Give the pictures in the order of the list; nobody looks whether they are there."""
        return (self._looked_up(item) for item in self._listed())

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        return self._place.read(item)

    def _looked_up(self, item: Item) -> Item:
        try:
            name = self._place.name_of(item.name)
        except UnreadableFile as error:
            return item._replace(problem=str(error))
        return item if name == item.name else item._replace(name=name)


def parse_list(chunks: Iterable[bytes]) -> Iterator[ListEntry]:
    """Read a list, in memory that does not grow with it.

    It is JSON when its first sign is `[` or `{`, else text with one name a line. Text is UTF-8, or UTF-16
    with a byte order mark; bytes of file names that are no UTF-8 come through (PEP 383).

    Raises:
        InvalidRequest: it is none of these, cut off, of mixed kinds, or has an entry that names nothing;
            the message tells which, and repeats nothing of it. Raised while iterating.
    """
    stream = _decoded(chunk for chunk in chunks if chunk)
    head = next((text for text in stream if not text.isspace()), "")
    rest = chain([head], stream)
    match head.lstrip()[:1]:
        case "[":
            entries = _listed(_events(rest))
        case "{":
            entries = _of_results(rest)
        case _:
            entries = (ListEntry(line) for line in _lines(rest))
    for number, entry in enumerate(entries, 1):
        yield _checked(number, entry)


def _decoded(chunks: Iterator[bytes]) -> Iterator[str]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(codecs.BOM_UTF8):
            break
    marked = (name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark))
    encoding = next(marked, "utf-8")
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    try:
        yield from codecs.iterdecode(chain([head], chunks), encoding, errors)
    except UnicodeError:
        raise InvalidRequest(f"{_KINDS}; got bytes that are no {encoding}", param="list") from None


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Give the lines that are not blank, without what ends them."""
    line = ""
    for text in texts:
        *whole, line = (line + text).split("\n")
        yield from (one.rstrip("\r") for one in whole if one.strip())
        if len(line) > MOST_CHARACTERS:
            break  # whatever follows: `_checked` refuses it
    if line.strip():
        yield line.rstrip("\r")


def _events(texts: Iterable[str]) -> Iterator[tuple[str, object]]:
    with _expecting_json():
        yield from ijson.basic_parse(_file(texts))


def _listed(events: Iterator[tuple[str, object]]) -> Iterator[ListEntry]:
    """Read a list by Microsoft's rules: all entries of one kind, pairs of length exactly 2."""
    next(events)
    kind = ""
    for number, (event, value) in enumerate(events, 1):
        if event == "end_array":
            break
        kind = kind or event
        if event != kind or event not in {"string", "start_array"}:
            raise _wrong(number, "expected all entries as strings, or all as [name, metadata] pairs")
        yield ListEntry(str(value)) if event == "string" else _pair(number, events)
    for _ in events:  # the end, and what may stand behind it
        pass


def _pair(number: int, events: Iterator[tuple[str, object]]) -> ListEntry:
    got = [next(events, ("", None)) for _ in range(3)]
    if [event for event, _ in got] != ["string", "string", "end_array"]:
        raise _wrong(number, "expected a pair of two strings, [name, metadata]")
    return ListEntry(str(got[0][1]), str(got[1][1]))


def _of_results(texts: Iterable[str]) -> Iterator[ListEntry]:
    """Read the names in a result file; those that were written on Windows may have its separators."""
    number, name, has_list = 0, "", False
    with _expecting_json():
        for prefix, event, value in ijson.parse(_file(texts)):
            has_list = has_list or (event == "start_array" and f"{prefix}.item" in _PREFIXES)
            if prefix in _NAMES and event == "string":
                name = str(value)
            elif prefix in _PREFIXES and event == "end_map":
                number += 1
                yield ListEntry(name.replace("\\", "/"))
                name = ""
    if not has_list:
        raise InvalidRequest(f"{_KINDS}; got an object without `images` and `predictions`", param="list")


def _file(texts: Iterable[str]) -> object:
    return ijson.from_iter(text.encode("utf-8", "surrogateescape") for text in texts)


@contextmanager
def _expecting_json() -> Iterator[None]:
    """Leave out what the parser says: it repeats the text around the fault, which may be a secret."""
    try:
        yield
    except (ijson.JSONError, UnicodeError):
        raise InvalidRequest(f"{_KINDS}; got JSON that is cut off or wrong", param="list") from None


def _checked(number: int, entry: ListEntry) -> ListEntry:
    if not entry.locator or "\0" in entry.locator:
        raise _wrong(number, "expected a name without NUL")
    if max(len(entry.locator), len(entry.meta or "")) > MOST_CHARACTERS:
        raise _wrong(number, f"expected at most {MOST_CHARACTERS:,} characters")
    try:
        entry.locator.encode("utf-8", "surrogateescape")
        (entry.meta or "").encode()
    except UnicodeEncodeError:
        raise _wrong(number, "expected text, got half a character") from None
    return entry


def _wrong(number: int, what: str) -> InvalidRequest:
    return InvalidRequest(f"entry {number:,} of the list: {what}", param="list")
