"""Sequences: the pictures that one camera took of one visit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

GAP_S = 60.0
"""Longest pause within a sequence: MegaDetector's `episode_interval_seconds`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as sequences see it.

    Attributes:
        name: unique among the pictures.
        camera: pictures of different cameras never share a sequence; pictures whose camera is
            unknown belong together under one name, "" for instance, or apart under several.
        taken_at: camera time, or a corrected one; all of a camera's with or all without a time
            zone. None when the picture has none that can be read.
        burst: (position from 1, length) in what the camera shot at one trigger, where it says so.
        sequence: what somebody who knows calls the sequence; it goes before times and bursts.
    """

    name: str
    camera: str
    taken_at: datetime | None
    burst: tuple[int, int] | None = None
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class PictureSequence:
    """Pictures that belong together, in the order in which they were taken.

    Attributes:
        frames: at least one.
    """

    frames: tuple[Frame, ...]

    @property
    def id(self) -> str:
        """The first picture's name: no other sequence has it, whatever is added elsewhere."""
        return self.frames[0].name


def sequences(
    frames: Iterable[Frame], *, gap_s: float = GAP_S, by: Literal["time", "burst"] = "time"
) -> tuple[PictureSequence, ...]:
    """Group pictures into sequences: by camera, then in the order of first pictures.

    A pause of more than `gap_s` seconds begins a new sequence, and so does a picture without a
    time, which stays alone, as in MegaDetector. With `by="burst"` so does a picture that its camera
    counts as the first of a burst, or that does not continue the burst before it; a pause still
    ends a burst, since its rest may have been deleted.

    The order of `frames` does not matter.
    """
    found: list[PictureSequence] = []
    for _, group in groupby(sorted(frames, key=_group_key), key=lambda frame: (frame.camera, frame.sequence)):
        own = list(group)
        cuts = [0] if own[0].sequence is not None else _cuts(own, gap_s=gap_s, by=by)
        ends = [*cuts[1:], len(own)]
        found.extend(PictureSequence(tuple(own[a:b])) for a, b in zip(cuts, ends, strict=True))
    return tuple(sorted(found, key=lambda sequence: _time_key(sequence.frames[0])))


def _group_key(frame: Frame) -> tuple[object, ...]:
    return (frame.camera, frame.sequence is not None, frame.sequence or "", *_time_key(frame)[1:])


def _time_key(frame: Frame) -> tuple[str, bool, float, int, str]:
    """Sorts a camera's pictures by time, the timeless last; bursts and names decide within a second."""
    position = frame.burst[0] if frame.burst else 0
    return (frame.camera, frame.taken_at is None, _seconds(frame.taken_at), position, frame.name)


def _seconds(time: datetime | None) -> float:
    """Seconds since a fixed moment.

    Times with a zone are told apart when the clock is put back, which subtracting them would not do.
    """
    if time is None:
        return 0.0
    return time.timestamp() if time.tzinfo else (time - datetime.min).total_seconds()  # noqa: DTZ901 - naive


def _cuts(frames: Sequence[Frame], *, gap_s: float, by: Literal["time", "burst"]) -> list[int]:
    """Give the places where a sequence begins among sorted frames, the first one included."""
    begins = [n for n in range(1, len(frames)) if not _belong(frames[n - 1], frames[n], gap_s=gap_s, by=by)]
    return [0, *begins]


def _belong(before: Frame, frame: Frame, *, gap_s: float, by: Literal["time", "burst"]) -> bool:
    if before.taken_at is None or frame.taken_at is None:
        return False
    if _seconds(frame.taken_at) - _seconds(before.taken_at) > gap_s:
        return False
    return by == "time" or _continues(before.burst, frame.burst)


def _continues(before: tuple[int, int] | None, burst: tuple[int, int] | None) -> bool:
    """Whether one burst position follows another; without any, the pause alone decides."""
    if before is None or burst is None:
        return before is burst
    return burst[1] == before[1] and burst[0] > before[0]
