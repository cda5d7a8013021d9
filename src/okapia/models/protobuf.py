"""The wire format of protobuf: fields are stepped over one by one, nothing is copied that nobody reads."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

Bytes = bytes | mmap.mmap


class NotProtobufError(Exception):
    """The bytes are no message, or not the expected one; says why, as half a sentence."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        value: of a number; 0 for all else.
        start: where its bytes begin; where it ends for a number.
    """

    number: int
    value: int
    start: int
    end: int


def fields(data: Bytes, start: int, end: int) -> Iterator[Field]:
    """Step over the fields of the message between two places.

    Raises:
        NotProtobufError: it is no message, or longer than that.
    """
    place = start
    while place < end:
        key, place = varint(data, place, end)
        number, wire = key >> 3, key & 7
        value, size = 0, {1: 8, 5: 4}.get(wire, 0)
        if wire == 0:
            value, place = varint(data, place, end)
        elif wire == 2:
            size, place = varint(data, place, end)
        if number == 0 or wire not in {0, 1, 2, 5}:
            raise NotProtobufError("this is none, or damaged")
        if place + size > end:
            raise NotProtobufError(
                f"this is none, or cut off: {place + size:,} bytes are announced, {end:,} are there"
            )
        yield Field(number, value, place, place + size)
        place += size


def varint(data: Bytes, place: int, end: int) -> tuple[int, int]:
    """Read an unsigned number; gives it and the place behind it.

    Raises:
        NotProtobufError: it does not end before `end`, or is longer than 64 bits.
    """
    value = shift = 0
    while place < end and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise NotProtobufError("this is none, or cut off")


def varint_signed(value: int) -> int:
    """Turn a 64-bit number into the signed one that it stands for."""
    return value - 2**64 if value >= 2**63 else value


def packed(data: Bytes, field: Field) -> list[int]:
    """Read a list of numbers that is written as one field."""
    values, place = [], field.start
    while place < field.end:
        value, place = varint(data, place, field.end)
        values.append(value)
    return values


def text(data: Bytes, field: Field) -> str:
    return data[field.start : field.end].decode("utf-8", errors="replace")
