"""Every face of some pictures with what is guessed of it, and the cost with and without guessing.

    okapia models pull faces
    python benchmarks/faces.py [PICTURE ...] [--runs 15]

Without pictures it looks at the astronaut of `okapia samples`. Milliseconds are CPU time of a whole
analysis, decoding included, in the best of three rounds of many.
"""

import argparse
from pathlib import Path

from harness import sample, write
from truth import print_table

from okapia.app import build_service
from okapia.cli.logs import configure_logs
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, ImageInfo
from okapia.pipeline.run import Pipeline
from okapia.service import FACES, NamedImage, Service
from okapia.settings import load_settings

ROUNDS = 3
CLEAR = AnalysisOptions(threshold=0.5)


def analysed(pipeline: Pipeline, picture: Path) -> Analysis:
    outcome = pipeline.run(picture.name, picture.read_bytes(), CLEAR).outcome
    assert isinstance(outcome, Analysis), outcome
    return outcome.above(CLEAR.threshold)


def cost(service: Service, choice: ModelChoice, picture: Path, *, runs: int) -> float:
    """CPU milliseconds of one analysis among many."""
    images = [NamedImage(picture.name, picture.read_bytes)] * runs

    def analyse() -> None:
        assert all(
            isinstance(result.outcome, Analysis)
            for result in service.analyze_many(images, CLEAR, choice=choice)
        )

    analyse()
    return min(sample(analyse, units=runs).cpu_ms for _ in range(ROUNDS))


def face_rows(picture: Path, analysis: Analysis) -> list[tuple[str, ...]]:
    """A row a face, from left to right."""
    return [
        (
            picture.name,
            f"{_longer_side(face.bbox.width, face.bbox.height, analysis.image):.0f}",
            f"{face.confidence:.2f}",
            f"{face.gender.man_probability:.3f}" if face.gender else "",
            face.gender.word if face.gender else "",
        )
        for face in sorted(analysis.detections, key=lambda face: face.bbox.x_min)
    ]


def _longer_side(width: float, height: float, image: ImageInfo) -> float:
    return max(width * image.width, height * image.height)


def main() -> None:
    settings = load_settings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, nargs="*", default=[settings.home / "samples" / "person.png"])
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    configure_logs("warning")
    service = build_service(settings)
    choice = service.models.choice(FACES)
    guessing = service.models.pipeline(choice)
    rows, costs = [], []
    for picture in options.pictures:
        faces = face_rows(picture, analysed(guessing, picture))
        rows += faces
        times = (cost(service, one, picture, runs=options.runs) for one in (choice.alone, choice))
        costs.append((picture.name, str(len(faces)), *(f"{time:.0f}" for time in times)))
    service.close()
    print_table(("picture", "pixels", "face", "p", "answer"), rows)
    print()
    print_table(("picture", "faces", "found, CPU ms", "and guessed, CPU ms"), costs)
    print(", ".join(f"{report.model_id} in {report.engine}" for report in guessing.reports))
    write("faces", {"faces": rows, "milliseconds": costs})


if __name__ == "__main__":
    main()
