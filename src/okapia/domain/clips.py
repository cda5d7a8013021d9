"""What is asked of video files, and what is known of one."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from okapia.domain.errors import InvalidRequest

VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
"""What a file's name ends with, in any case, to be taken for a clip where clips are asked for."""

MAX_CLIP_BYTES: Final = 500_000_000
"""What a file that ends so may have: a minute of a camera's 4K. It is read into memory."""


class FrameUnit(StrEnum):
    """What the frames between two that are looked at are counted in."""

    SECONDS = "seconds"
    FRAMES = "frames"


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames of a clip are looked at: the first one, and from there one each `every`.

    Attributes:
        every: above 0; of frames, a whole number.
        most: at least 1; a clip with more frames to look at is refused.

    Raises:
        InvalidRequest: a number is out of its range.
    """

    every: float = 1.0
    unit: FrameUnit = FrameUnit.SECONDS
    most: int = 1_000

    def __post_init__(self) -> None:
        if not (math.isfinite(self.every) and self.every > 0):
            raise InvalidRequest(f"expected every above 0, got {self.every}", param="every")
        if self.unit is FrameUnit.FRAMES and self.every != int(self.every):
            raise InvalidRequest(f"expected every as a whole number, got {self.every}", param="every")
        if self.most < 1:
            raise InvalidRequest(f"expected most of at least 1, got {self.most}", param="most")


@dataclass(frozen=True, slots=True)
class Clip:
    """Facts that a video file has and a picture has not.

    Attributes:
        frame_rate: mean frames a second, above 0.
        frames: numbers of those that were looked at, rising; the file's first is 0.
        seconds: from the first frame's beginning to the last one's end, as far as the file could be read.
    """

    frame_rate: float
    frames: tuple[int, ...]
    seconds: float
