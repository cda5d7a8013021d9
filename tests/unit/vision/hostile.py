"""Files that mean harm, or that no writer would make: built by hand."""

import struct
import zlib

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
TEXT = b"This is no picture. It only has the name of one, holiday.jpg.\n" * 20


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, depth: int = 8, colour: int = 2, raw: bytes = b"", extra: bytes = b""
) -> bytes:
    """A PNG whose header says what it is told; `raw` is compressed, `extra` chunks stand before it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(raw, 9))
        + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int) -> bytes:
    """A TIFF of one pixel's data whose directory announces `width` x `height`."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, 1),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 10) + b"\0\0" + directory + struct.pack("<I", 0)


def webp(width: int, height: int, frame: bytes) -> bytes:
    """An animated WebP that announces `width` x `height` around one small `frame` (a whole WebP)."""
    canvas = _u24(width - 1) + _u24(height - 1)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    picture = frame[12:]
    placed = bytes(6) + _u24(7) + _u24(7) + _u24(100) + b"\0" + picture
    body += b"ANMF" + struct.pack("<I", len(placed)) + placed
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_scans(progressive: bytes, *, times: int) -> bytes:
    """A progressive JPEG whose last scan comes `times` over."""
    last = progressive.rindex(b"\xff\xda")
    return progressive[:last] + progressive[last:-2] * times + progressive[-2:]


def jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same JPEG with other dimensions in its frame header."""
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def _u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]
