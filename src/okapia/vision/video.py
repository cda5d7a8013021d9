"""Encoded video files -> upright RGB frames, one after the other.

OpenCV decodes, with the FFmpeg of its own wheel; this is the only file that knows that. It reads files, so a
clip's bytes lie in a private temporary folder while it is looked at.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

# FFmpeg tells standard error of every flaw of a file; read when the first file is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from okapia.domain.clips import Clip, FrameRule, FrameUnit
from okapia.domain.errors import BadImage, ClipTooLong, OutputNotWritable, TooManyPixels, TruncatedImage
from okapia.domain.types import BBox, ImageInfo, Size
from okapia.vision.decode import DecodePolicy, Truncated
from okapia.vision.geometry import cover_px
from okapia.vision.resample import Pixels

# OpenCV too tells it of files that it cannot open; the error that is raised says so.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)

_MAGIC: Final = {
    "MP4": re.compile(rb"....(ftyp(?!hei|hev|mif1|msf1|avif|avis)|moov|mdat|wide)", re.DOTALL),
    "AVI": re.compile(rb"RIFF....AVI ", re.DOTALL),
    "MATROSKA": re.compile(rb"\x1a\x45\xdf\xa3"),
    "MPEG": re.compile(rb"\0\0\x01[\xba\xb3]"),
}
"""How each begins. HEIC and AVIF are pictures in MP4's clothes."""

_BYTES_PER_PIXEL: Final = 52
"""Of a frame, with those that the codec refers to: H.264 with 16 references took that (3840 x 2160, 2026-11);
usual files take 20 to 30."""

_TICK_S: Final = 0.001
"""Containers round times to milliseconds."""

_SLACK: Final = 0.02
"""Containers without an index tell their frames' number to about as much."""

_LONGEST_HOLE: Final = 100
"""Frames in a row that fail before the rest of the file is given up."""


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """How much of anybody's time a clip may take.

    Attributes:
        seconds: the clip's own.
        decoding_s: that decoding it takes here, by the clock.
        stall_s: that one read may take.
    """

    seconds: float = 600.0
    decoding_s: float = 900.0
    stall_s: float = 30.0


_LIMITS: Final = ClipLimits()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a clip; to a pipeline what a `Picture` is."""

    number: int
    info: ImageInfo
    whole: Pixels

    def pixels(self, at_least: Size) -> Pixels:
        """The whole frame, in the full size whatever `at_least` says: there is no smaller decode."""
        del at_least
        return self.whole

    def crop(self, bbox: BBox, *, side: int) -> Pixels:
        """The part under `bbox` in the full size, whatever `side` says: the pixels it touches; a copy."""
        del side
        left, top, right, bottom = cover_px(bbox, (self.info.width, self.info.height))
        return self.whole[top:bottom, left:right].copy()


class Footage:
    """An opened clip, to be gone through once, in one thread."""

    def __init__(
        self, capture: cv2.VideoCapture, info: ImageInfo, policy: DecodePolicy, limits: ClipLimits
    ) -> None:
        """Wrap what `open_clip` has opened; use that."""
        self._capture = capture
        self._policy = policy
        self._limits = limits
        self._rate = _frame_rate(capture)
        # An MPEG stream has no index: what FFmpeg tells of it is a guess from its bytes.
        told = 0.0 if info.format == "MPEG" else capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._announced = max(told, 0.0)
        self._decoding_s = 0.0
        self._n_decoded = self._n_reached = 0
        self._end_s = 0.0
        self.info = info

    def in_memory(self) -> AbstractContextManager[None]:
        """Count one frame towards the policy's budget while a block runs, as `Picture.in_memory` does."""
        n_bytes = self.info.width * self.info.height * _BYTES_PER_PIXEL
        return self._policy.budget.hold(n_bytes, self._policy.crowded)

    def frames(self, rule: FrameRule) -> Iterator[Frame]:
        """Decode every frame and give those that the rule picks; `info` is complete after the last.

        Raises:
            ClipTooLong: by the header before anything is decoded, or as it turns out.
            TruncatedImage: frames are missing or damaged, and the policy refuses that.
            BadImage: there are none, or one cannot be had.
        """
        self._check_announced(rule)
        due = 0.0
        looked_at: list[int] = []
        for number, time in self._decoded():
            place = (time if rule.unit is FrameUnit.SECONDS else number) + _TICK_S
            if place >= due:
                due = (place // rule.every + 1) * rule.every
                looked_at.append(number)
                _check_most(len(looked_at), rule)
                yield self._frame(number)
        self._conclude(looked_at)

    def _decoded(self) -> Iterator[tuple[int, float]]:
        """Decode frame after frame; gives number and time in seconds of those that can be."""
        number, n_failed = 0, 0
        # A frame that fails before the last may be a hole in the file, behind which it goes on.
        while n_failed == 0 or (n_failed < _LONGEST_HOLE and number < self._announced):
            is_there = self._grab()
            n_failed = 0 if is_there else n_failed + 1
            if is_there:
                self._n_decoded, self._n_reached = self._n_decoded + 1, number + 1
                yield number, self._time()
            number += 1

    def _grab(self) -> bool:
        started = perf_counter()
        is_there = self._capture.grab()
        self._decoding_s += perf_counter() - started
        if self._decoding_s > self._limits.decoding_s:
            raise ClipTooLong(f"expected to decode it within {self._limits.decoding_s:g} s, it takes longer")
        return is_there

    def _time(self) -> float:
        """Give the time of the frame that was decoded last."""
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # The last frames of an MPEG stream have no time of their own, and come after the others all the same.
        time = told if told > self._end_s - 1 / self._rate else self._end_s
        self._end_s = time + 1 / self._rate
        self._check_seconds(self._end_s)
        return time

    def _frame(self, number: int) -> Frame:
        is_there, pixels = self._capture.retrieve()
        if not is_there:
            raise BadImage(f"frame {number} of the clip cannot be decoded")
        whole = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        height, width, _ = whole.shape
        return Frame(number, replace(self.info, width=width, height=height), whole)

    def _check_announced(self, rule: FrameRule) -> None:
        seconds = self._announced / self._rate
        self._check_seconds(seconds)
        length = seconds if rule.unit is FrameUnit.SECONDS else self._announced
        _check_most(int(length * (1 - _SLACK) / rule.every), rule)

    def _check_seconds(self, seconds: float) -> None:
        most = self._limits.seconds
        if seconds * (1 - _SLACK) > most:
            raise ClipTooLong(f"expected a clip of at most {most:g} s, got {seconds:,.0f} s")

    def _conclude(self, looked_at: list[int]) -> None:
        """Write down what is known only after the last frame."""
        if not self._n_decoded:
            raise BadImage(f"expected frames in the {self.info.format} clip, none can be decoded")
        fraction = self._decoded_fraction()
        if fraction < 1 and self._policy.truncated is Truncated.REFUSE:
            raise TruncatedImage(decoded_fraction=fraction, parts="frames")
        clip = Clip(self._rate, tuple(looked_at), self._end_s)
        self.info = replace(self.info, decoded_fraction=fraction, clip=clip)

    def _decoded_fraction(self) -> float:
        without_holes = self._n_decoded / self._n_reached
        if not self._announced:
            return without_holes
        # Of frames at uneven times either their number or the time may be what the header tells rightly.
        reached = max(self._n_reached, self._end_s * self._rate) / self._announced
        return without_holes * (reached if reached < 1 - _SLACK else 1.0)


def clip_format(data: bytes) -> str | None:
    """Tell by its first bytes which kind of video file this is; None for anything else."""
    return next((name for name, magic in _MAGIC.items() if magic.match(data)), None)


@contextmanager
def open_clip(data: bytes, policy: DecodePolicy, limits: ClipLimits = _LIMITS) -> Iterator[Footage]:
    """Open a video file while a block runs.

    Args:
        data: a file of which `clip_format` knows the kind.

    Raises:
        TooManyPixels: a frame has more than the policy's `max_pixels`, or than its budget holds.
        BadImage: the header is damaged, or there is sound but no picture.
        OutputNotWritable: the temporary folder is full or gone.
    """
    with _as_file(data) as path, _capturing(path, limits) as capture:
        width, height = _frame_size(capture)
        max_pixels = min(policy.max_pixels, policy.budget.max_bytes // _BYTES_PER_PIXEL)
        if width * height > max_pixels:
            raise TooManyPixels(width=width, height=height, max_pixels=max_pixels)
        info = ImageInfo(width, height, clip_format(data) or "", len(data))
        yield Footage(capture, info, policy, limits)


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    """Keep the bytes in a folder that only this user can look into."""
    try:
        folder = TemporaryDirectory(prefix="okapia-clip-")
    except OSError as error:
        raise _not_kept(error) from error
    with folder as name:
        path = Path(name) / "clip"
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _not_kept(error) from error
        yield path


def _not_kept(error: OSError) -> OutputNotWritable:
    return OutputNotWritable(f"cannot keep the clip in the temporary folder: {error.strerror}")


@contextmanager
def _capturing(path: Path, limits: ClipLimits) -> Iterator[cv2.VideoCapture]:
    """Open the file; it is closed before the block is left, as Windows removes no open files."""
    stall_ms = round(limits.stall_s * 1000)
    # One thread, for the same reason as in `okapia.vision.resample`.
    options = [
        *(cv2.CAP_PROP_N_THREADS, 1),
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, stall_ms),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, stall_ms),
    ]
    try:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, options)
        try:
            if not capture.isOpened():
                raise BadImage("the clip cannot be opened: a damaged header, an unknown codec, or sound only")
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
            yield capture
        finally:
            capture.release()
    except cv2.error as error:
        raise BadImage(f"the clip cannot be decoded: {error}") from error


def _frame_size(capture: cv2.VideoCapture) -> Size:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _frame_rate(capture: cv2.VideoCapture) -> float:
    rate = capture.get(cv2.CAP_PROP_FPS)
    if not (math.isfinite(rate) and rate > 0):
        raise BadImage(f"expected a frame rate above 0 in the clip's header, got {rate}")
    return rate


def _check_most(n_frames: int, rule: FrameRule) -> None:
    if n_frames > rule.most:
        raise ClipTooLong(f"expected at most {rule.most:,} frames to look at, the clip has more")
