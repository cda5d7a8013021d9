"""Clips that the tests make for themselves: encoded by OpenCV, or put together by hand."""

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from okapia.domain.types import Size
from okapia.vision.resample import Pixels
from tests.unit.vision.pictures import encode

FPS = 10


def plain(n_frames: int, size: Size = (64, 48)) -> list[Pixels]:
    """Grey frames, each two levels brighter than the one before; the first is black."""
    width, height = size
    return [np.full((height, width, 3), 2 * number, dtype=np.uint8) for number in range(n_frames)]


def clip(frames: Sequence[Pixels], *, suffix: str = ".mp4", codec: str = "mp4v", fps: float = FPS) -> bytes:
    """Encode RGB frames with a codec that OpenCV's wheel can write."""
    height, width, _ = frames[0].shape
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"
        fourcc = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, (width, height))
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
        return path.read_bytes()


def turned(mp4: bytes) -> bytes:
    """Say in an MP4's track header that it is to be shown turned clockwise by a quarter, as phones do."""
    matrix = mp4.index(b"tkhd") + 44
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    return mp4[:matrix] + quarter + mp4[matrix + 36 :]


def with_pause(mkv: bytes, seconds: int) -> bytes:
    """Shift all but the first cluster of a short Matroska file: the camera paused in between."""

    def later(cluster: re.Match[bytes]) -> bytes:
        (milliseconds,) = struct.unpack(">H", cluster[2])
        return cluster[1] + struct.pack(">H", milliseconds + 1000 * seconds)

    return re.sub(rb"(\x1fC\xb6u.{8,10}?\xe7\x82)(..)", later, mkv, flags=re.DOTALL)


def jpeg(pixels: Pixels) -> bytes:
    return encode(pixels, "JPEG", quality=95)


def avi(jpegs: Sequence[bytes], size: Size, *, fps: int = FPS) -> bytes:
    """Put JPEGs one after the other into an AVI, as many trail cameras do; `size` is what it announces."""
    width, height = size
    n_frames = len(jpegs)
    main = struct.pack("<14I", 1_000_000 // fps, 0, 0, 16, n_frames, 0, 1, 0, width, height, 0, 0, 0, 0)
    timing = struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, fps, 0, n_frames, 0, 0, 0, 0, 0, width, height)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    stream = _list(b"strl", _chunk(b"strh", b"vidsMJPG" + timing) + _chunk(b"strf", bitmap))
    frames = _list(b"movi", b"".join(_chunk(b"00dc", data) for data in jpegs))
    return _chunk(b"RIFF", b"AVI " + _list(b"hdrl", _chunk(b"avih", main) + stream) + frames)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _list(kind: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", kind + body)
