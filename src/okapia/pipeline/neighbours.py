"""Boxes take taxa from their neighbours: within one picture, and within a sequence of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from okapia.domain.types import Analysis, Detection, ImageResult, Smooth, Smoothing
from okapia.pipeline.cameras import Cameras, Picture
from okapia.pipeline.geofence import Fence
from okapia.pipeline.herds import smooth_herd
from okapia.pipeline.sequences import GAP_S, Frame, sequences
from okapia.pipeline.smoothing import SmoothingOptions, smooth
from okapia.pipeline.votes import Smoothed, Vote

KEEP_PEOPLE = SmoothingOptions(kept_names=frozenset({"human"}))
"""MegaDetector's rules would call a person beside four deer a deer, where the detector sees an animal."""


def smooth_picture(detections: Sequence[Detection], how: Smooth, fence: Fence) -> tuple[Detection, ...]:
    """Let the boxes of one picture agree on what they are; `SEQUENCE` counts as `IMAGE`."""
    if how is Smooth.OFF:
        return tuple(detections)
    votes = _votes("", detections)
    changes = smooth_herd(votes, allowed=fence.allows) if how is Smooth.HERD else smooth(votes, KEEP_PEOPLE)
    return _renamed("", detections, {change.id: change for change in changes}, sources={})


def smooth_sequences(
    results: Sequence[ImageResult], cameras: Cameras, *, gap_s: float = GAP_S
) -> list[ImageResult]:
    """Let the boxes of pictures that one camera took in a row agree on what they are.

    Pictures that failed stay as they are; one whose time is unknown agrees with itself only.

    Args:
        results: names are unique; their boxes have been smoothed within their pictures before.
        gap_s: longest pause within a sequence, in seconds.
    """
    analysed = {result.name: result.outcome for result in results if isinstance(result.outcome, Analysis)}
    frames = (_frame(name, analysis, cameras) for name, analysis in analysed.items())
    changed: dict[str, Analysis] = {}
    for sequence in sequences(frames, gap_s=gap_s):
        names = [frame.name for frame in sequence.frames]
        changed |= _agreed({name: analysed[name] for name in names})
    return [
        replace(result, outcome=changed[result.name]) if result.name in changed else result
        for result in results
    ]


def _frame(name: str, analysis: Analysis, cameras: Cameras) -> Frame:
    capture = analysis.image.capture
    placement = cameras.placement(Picture(name, capture.captured_at, capture.camera_serial))
    return Frame(name, placement.camera or "", capture.captured_at)


def _agreed(pictures: Mapping[str, Analysis]) -> dict[str, Analysis]:
    """Smooth the boxes of one sequence together."""
    votes = [vote for name, analysis in pictures.items() for vote in _votes(name, analysis.detections)]
    changes = {change.id: change for change in smooth(votes, KEEP_PEOPLE)}
    sources = {vote.id: vote.id.rpartition("#")[0] for vote in votes}
    return {
        name: replace(analysis, detections=_renamed(name, analysis.detections, changes, sources=sources))
        for name, analysis in pictures.items()
    }


def _votes(name: str, detections: Sequence[Detection]) -> list[Vote]:
    return [
        Vote(f"{name}#{place}", d.category, d.confidence, d.prediction.taxon, d.prediction.score)
        for place, d in enumerate(detections)
        if d.prediction is not None
    ]


def _renamed(
    name: str,
    detections: Sequence[Detection],
    changes: Mapping[str, Smoothed],
    *,
    sources: Mapping[str, str],
) -> tuple[Detection, ...]:
    return tuple(
        _with_taxon(detection, changes.get(f"{name}#{place}"), name, sources)
        for place, detection in enumerate(detections)
    )


def _with_taxon(
    detection: Detection, change: Smoothed | None, name: str, sources: Mapping[str, str]
) -> Detection:
    """Take over a changed taxon; the original is what the box's own scores gave, however often it changes."""
    before = detection.prediction
    if before is None or change is None or change.rule is None:
        return detection
    original = before.smoothing.original if before.smoothing else change.original
    source = sources.get(change.source or "")
    smoothing = Smoothing(change.rule, original, source if source != name else None)
    return replace(detection, prediction=replace(before, taxon=change.taxon, smoothing=smoothing))
