"""Files of SpeciesNet's users, small: labels, a taxonomy, range rules, detections, classifications."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

ANIMAL = "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal"
BLANK = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
FOX = "aaaaaaaa-0000-4000-8000-000000000001;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
CORSAC = "aaaaaaaa-0000-4000-8000-000000000002;mammalia;carnivora;canidae;vulpes;corsac;corsac fox"
FOXES = "aaaaaaaa-0000-4000-8000-000000000003;mammalia;carnivora;canidae;vulpes;;vulpes species"
CANIDS = "aaaaaaaa-0000-4000-8000-000000000005;mammalia;carnivora;canidae;;;canine family"
LABELS = (FOX, CORSAC, BLANK)

RULES = {
    "mammalia;carnivora;canidae;vulpes;vulpes": {"block": {"AUS": [], "USA": ["NV"]}},
    "mammalia;carnivora;canidae;vulpes;corsac": {"allow": {"MNG": []}},
}

Fields = Mapping[str, object]


def box(conf: float, category: str = "1", **more: object) -> Fields:
    return {"category": category, "conf": conf, "bbox": [0.25, 0.25, 0.5, 0.5], **more}


def ranked(*pairs: tuple[str, float]) -> Fields:
    return {"classes": [label for label, _ in pairs], "scores": [score for _, score in pairs]}


def write_json(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def write_predictions(path: Path, rows: Sequence[Fields], *, is_new: bool = False) -> Path:
    """Write a detections, classifications or predictions file of either format."""
    head = {"info": {"format_version": "20261015"}} if is_new else {}
    return write_json(path, {**head, "predictions": rows})


def predictions(path: Path) -> dict[str, dict[str, object]]:
    """Read a predictions file by file path, and make sure that it has one entry each."""
    rows = json.loads(path.read_text())["predictions"]
    found = {row["filepath"]: row for row in rows}
    assert len(found) == len(rows)
    return found
