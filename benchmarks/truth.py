"""Truth against answer on a labelled folder: a table for people, exit code 0 always.

The folder holds pictures and `labels.csv` with the columns `file`, `category` (animal, human,
vehicle or empty), `common_name`. A category is right when it is that of the most confident box
at the threshold; "also" lists boxes of other categories.

    python benchmarks/truth.py FOLDER [--threshold 0.2] [--canvas 640] [--scaling exact]
"""

import argparse
import csv
from pathlib import Path

from harness import write

from okapia.app import build_service
from okapia.cli.logs import configure_logs
from okapia.domain.types import Analysis, AnalysisOptions, Category
from okapia.service import NamedImage
from okapia.settings import load_settings


def answer(analysis: Analysis) -> tuple[str, str, str]:
    """Category, what it is called, and the other categories found."""
    if not analysis.detections:
        return "", "", ""
    best = analysis.detections[0]
    category = "human" if best.category is Category.PERSON else best.category.value
    name = f"{best.prediction.taxon.common_name} {best.prediction.score:.2f}" if best.prediction else ""
    also = sorted({d.category.value for d in analysis.detections} - {best.category.value})
    return category, name, ", ".join(also)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threshold", type=float, default=0.2)
    parser.add_argument("--canvas", type=int)
    parser.add_argument("--scaling", choices=["fast", "exact"])
    options = parser.parse_args()
    configure_logs("warning")
    canvases = {"megadetector-lite": options.canvas} if options.canvas else None
    service = build_service(load_settings(canvases=canvases, scaling=options.scaling))
    with (options.folder / "labels.csv").open(encoding="utf-8") as file:
        truth = {row["file"]: row for row in csv.DictReader(file)}
    images = (NamedImage(name, (options.folder / name).read_bytes) for name in truth)
    rows: list[tuple[str, ...]] = []
    for result in service.analyze_many(images, AnalysisOptions(options.threshold)):
        assert isinstance(result.outcome, Analysis)
        category, name, also = answer(result.outcome.above(options.threshold))
        label = truth[result.name]
        is_right = "yes" if category == label["category"] else "NO"
        rows.append((result.name, label["category"], label["common_name"], category, name, also, is_right))
    service.close()
    print_table(("file", "truth", "species", "answer", "called", "also", "right"), rows)
    right = sum(row[-1] == "yes" for row in rows)
    print(f"\n{right} of {len(rows)} categories right at threshold {options.threshold}")
    write("truth", {"rows": [list(row) for row in rows], "right": right})


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows as a Markdown table."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    for row in [head, tuple("-" * width for width in widths), *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


if __name__ == "__main__":
    main()
