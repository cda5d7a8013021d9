"""Reads JSON into typed answers; fields that this version does not know are no errors."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime, time
from types import NoneType
from typing import TypeVar, get_args, get_origin

from okapia.client.errors import UnexpectedAnswer

A = TypeVar("A", bound="Answer")

_FROM_TEXT: Mapping[object, Callable[[str], object]] = {
    str: str,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Base of everything that is read.

    Attributes:
        raw: the JSON object as it came, with the fields that this version does not know.
    """

    raw: Mapping[str, object] = field(repr=False, compare=False)


def read(kind: type[A], document: object, *, where: str = "answer") -> A:
    """Make an answer of a JSON object.

    Fields are named as in the JSON, those that are Python's own words with an underscore behind (`class_`).
    One that is absent or null has its default.

    Raises:
        UnexpectedAnswer: `document` is no object, or a field without a default is missing, or one is of
            another type; the message says where.
    """
    if not isinstance(document, dict):
        raise _unexpected("an object", document, where)
    values: dict[str, object] = {"raw": document}
    for slot in (slot for slot in fields(kind) if slot.name != "raw"):
        key = slot.name.rstrip("_")
        value = document.get(key)
        if value is not None:
            values[slot.name] = _value(_without_none(slot.type), value, f"{where}.{key}")
        elif slot.default is MISSING and slot.default_factory is MISSING:
            raise UnexpectedAnswer(f"{where}: expected the field {key!r}, got none")
    make: Callable[..., A] = kind
    return make(**values)


def read_json(kind: type[A], body: bytes, *, where: str) -> A:
    """Make an answer of JSON as bytes; raises what `read` raises."""
    try:
        document: object = json.loads(body)
    except ValueError as error:
        raise UnexpectedAnswer(f"{where}: expected JSON: {error}") from error
    return read(kind, document, where=where)


def read_rows(kind: type[A], document: object, key: str) -> tuple[A, ...]:
    """Make answers of the list `key` of a JSON object.

    Raises:
        UnexpectedAnswer: there is no such list, or `read` cannot read a row of it.
    """
    rows = document.get(key) if isinstance(document, dict) else None
    return tuple(read(kind, row, where=f"{key}[{place}]") for place, row in enumerate(_list(rows, key)))


def _without_none(hint: object) -> object:
    """Give X of `X | None`; null is dealt with before."""
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) else hint


def _value(hint: object, value: object, where: str) -> object:
    if isinstance(hint, type) and issubclass(hint, Answer):
        return read(hint, value, where=where)
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint), _list(value, where), where)
    if get_origin(hint) is Mapping:
        if isinstance(value, dict):
            return value
        raise _unexpected("an object", value, where)
    return _scalar(hint, value, where)


def _tuple(hints: tuple[object, ...], values: list[object], where: str) -> tuple[object, ...]:
    """Read `tuple[X, ...]` of any length, and `tuple[X, X]` of its own."""
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(values)
    if len(values) != len(hints):
        raise UnexpectedAnswer(f"{where}: expected {len(hints)} values, got {len(values)}")
    return tuple(
        _value(hint, value, f"{where}[{place}]")
        for place, (hint, value) in enumerate(zip(hints, values, strict=True))
    )


def _scalar(hint: object, value: object, where: str) -> object:
    if isinstance(value, str) and hint in _FROM_TEXT:
        try:
            return _FROM_TEXT[hint](value)
        except ValueError as error:
            raise UnexpectedAnswer(f"{where}: {error}") from error
    if hint is float and type(value) in {int, float}:
        return value
    if type(value) is hint:
        return value
    raise _unexpected(getattr(hint, "__name__", str(hint)), value, where)


def _list(value: object, where: str) -> list[object]:
    if isinstance(value, list):
        return value
    raise _unexpected("a list", value, where)


def _unexpected(expected: str, value: object, where: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{where}: expected {expected}, got {type(value).__name__}")
