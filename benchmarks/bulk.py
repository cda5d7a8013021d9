"""Whether a batch keeps the pipeline's throughput: goal 0.95 of what the same service does in process.

The same 12 MP files, with all three networks: read and analysed in a loop, and as a batch from its listing to
its files, without answers of before. The arms take turns.

    python benchmarks/bulk.py [--images 200] [--rounds 3] [--pictures DIR]
"""

import argparse
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus import make_corpus
from harness import report, sample

from okapia.app import build_service, desk_options
from okapia.cli.logs import configure_logs
from okapia.domain.types import AnalysisOptions
from okapia.service import NamedImage, Service
from okapia.service.batch_request import BatchRequest, PlaceOfPictures
from okapia.service.batches import NewBatch
from okapia.service.desk import Desk
from okapia.settings import load_settings

DIFFERENT = 8
"""Different pictures among the files."""


@dataclass(frozen=True, slots=True)
class House:
    """The service, what batches need around it, and the files."""

    service: Service
    desk: Desk
    files: Sequence[Path]

    def in_process(self) -> None:
        images = [NamedImage(file.name, file.read_bytes) for file in self.files]
        for _ in self.service.analyze_many(images, AnalysisOptions()):
            pass

    def as_batch(self) -> None:
        caller = self.desk.callers.local()
        request = BatchRequest(
            place=PlaceOfPictures(address=str(self.files[0].parent)),
            choice=self.service.models.choice(),
            uses_cache=False,
        )
        overview = None
        batch = self.desk.batches.create(caller, NewBatch(request=request))
        while overview is None or not overview.batch.state.is_final:
            overview = self.desk.batches.changes(caller, batch.id, since=overview, timeout_s=60)
        assert overview.progress.counts.done == len(self.files), overview


def measure(folder: Path, originals: Sequence[Path], *, images: int, rounds: int) -> None:
    survey = folder / "survey"
    survey.mkdir()
    for number in range(images):
        shutil.copy(originals[number % len(originals)], survey / f"{number:05d}.jpg")
    service = build_service(load_settings())
    with ExitStack() as opened:
        opened.callback(service.close)
        desk = Desk(service, replace(desk_options(load_settings()), home=folder, roots=None))
        opened.callback(desk.close)
        opened.callback(desk.stop_working)
        desk.start()
        house = House(service, desk, sorted(survey.iterdir()))
        arms = {"in process": house.in_process, "as a batch": house.as_batch}
        for work in arms.values():
            work()  # a first turn loads the networks
        turns = [list(arms)[number % 2 :] + list(arms)[: number % 2] for number in range(rounds)]
        taken = [{arm: sample(arms[arm], units=images) for arm in turn} for turn in turns]
    report("bulk", [dict(sorted(turn.items())) for turn in taken], baseline="in process", unit="picture")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="real pictures to make the 12 MP files from")
    options = parser.parse_args()
    configure_logs("warning")
    with make_corpus(DIFFERENT, pictures=options.pictures) as originals, TemporaryDirectory() as folder:
        measure(Path(folder), originals, images=options.images, rounds=options.rounds)


if __name__ == "__main__":
    main()
