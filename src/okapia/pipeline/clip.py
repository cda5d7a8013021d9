"""One clip from bytes to answer: each frame that is looked at goes the way of a picture."""

from collections.abc import Callable
from dataclasses import replace

from okapia.domain.clips import FrameRule
from okapia.domain.types import Analysis, ImageInfo
from okapia.vision.decode import DecodePolicy
from okapia.vision.video import Frame, open_clip


def watch(data: bytes, rule: FrameRule, policy: DecodePolicy, look: Callable[[Frame], Analysis]) -> Analysis:
    """Look at the frames of a clip that the rule picks; their boxes become one answer.

    Args:
        data: the encoded file (`okapia.vision.video.clip_format` knows it).
        look: what is done with a frame; what it raises ends the clip.

    Returns:
        The boxes of all frames, each with its frame's number. What is said of a picture as a whole is that
        of the frame with the most confident box.

    Raises:
        BadImage: the clip is broken, too large or too long.
        OutputNotWritable: the temporary folder is full or gone.
        ServerBusy: there is no room in memory for a frame now, and the policy refuses then.
    """
    with open_clip(data, policy) as footage, footage.in_memory():
        seen = [_numbered(look(frame), frame.number) for frame in footage.frames(rule)]
        return _joined(footage.info, seen)


def _numbered(analysis: Analysis, number: int) -> Analysis:
    return replace(analysis, detections=tuple(replace(d, frame=number) for d in analysis.detections))


def _joined(info: ImageInfo, seen: list[Analysis]) -> Analysis:
    best = max(seen, key=_confidence)
    boxes = [detection for analysis in seen for detection in analysis.detections]
    boxes.sort(key=lambda detection: -detection.confidence)
    return Analysis(info, tuple(boxes), best.prediction, best.classifications)


def _confidence(analysis: Analysis) -> float:
    return max((detection.confidence for detection in analysis.detections), default=0.0)
