"""Pictures decoded at a reduced scale give the boxes of pictures decoded in full."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okapia.app import build_service
from okapia.domain.types import Analysis, AnalysisOptions, Detection
from okapia.service import NamedImage
from okapia.settings import load_settings

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("lite")]


def boxes(folder: Path, scaling: str) -> dict[str, tuple[Detection, ...]]:
    service = build_service(load_settings(scaling=scaling, classifier=""))
    images = [NamedImage(path.name, path.read_bytes) for path in sorted(folder.glob("*.jpg"))]
    results = list(service.analyze_many(images, AnalysisOptions(classify=False)))
    service.close()
    outcomes = {result.name: result.outcome for result in results}
    return {n: o.above(0.2).detections for n, o in outcomes.items() if isinstance(o, Analysis)}


def best_overlap(box: Detection, others: tuple[Detection, ...]) -> float:
    return max((box.bbox.iou(o.bbox) for o in others if o.category is box.category), default=0.0)


def test_fast_and_exact_decoding_find_the_same_boxes(
    shared_data: Path, record_property: Callable[[str, object], None]
) -> None:
    fast = boxes(shared_data / "camera-traps", "fast")
    exact = boxes(shared_data / "camera-traps", "exact")

    # Boxes just above the threshold in one and just below it in the other are no difference.
    sure = {name: [d for d in found if d.confidence >= 0.3] for name, found in exact.items()}
    overlaps = [best_overlap(d, fast[name]) for name, found in sure.items() for d in found]
    matched = [overlap for overlap in overlaps if overlap >= 0.5]
    record_property("boxes", len(overlaps))
    record_property("mean_iou", sum(matched) / len(matched))
    assert len(matched) >= 0.95 * len(overlaps)
    assert sum(matched) / len(matched) >= 0.95
