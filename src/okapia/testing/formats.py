"""What every result format has to keep to: a whole file or none, whatever the results are."""

import re
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from okapia.domain.errors import OutputNotWritable
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    Category,
    Classification,
    Detection,
    Failure,
    ImageInfo,
    ImageResult,
    Prediction,
)
from okapia.formats.base import Format, RunInfo, Writing
from okapia.testing.rules import Rule

WRITING: Final = Writing(keep_above=0.05, models="megadetector-lite+efficientnet-lite0")
INFO: Final = RunInfo(
    detector="megadetector-lite",
    detection_completed_at=datetime(2026, 11, 21, 6, 30, tzinfo=UTC),
    typical_detection_threshold=0.2,
    classifier="efficientnet-lite0",
    classification_completed_at=datetime(2026, 11, 21, 6, 31, tzinfo=UTC),
    manifest={"models": ["megadetector-lite"], "country": None},
)

_FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
_PHOTO = ImageInfo(1920, 1080, "JPEG", 400_000)
_BOX = BBox(0.1, 0.2, 0.3, 0.4)
_MANY: Final = 2000
_MOST_BYTES: Final = 6_000_000
"""Of memory, while `_MANY` results are written: two copy buffers of 1 MiB, and some."""


def _boxes() -> tuple[Detection, ...]:
    """A fox that was named, and one box of every category."""
    seen = (Classification(_FOX, 0.8),)
    fox = Detection(_BOX, Category.ANIMAL, 0.9, "animal", seen, Prediction(_FOX, 0.8, "classifier"))
    return (fox, *(Detection(_BOX, category, 0.3, category.value) for category in Category))


RESULTS: Final = (
    ImageResult("north/fox.jpg", Analysis(_PHOTO, _boxes())),
    ImageResult("north/blank.jpg", Analysis(_PHOTO, ())),
    ImageResult("north/cut.jpg", Analysis(ImageInfo(640, 480, "JPEG", 900, decoded_fraction=0.5), ())),
    ImageResult("north/not a picture.jpg", Failure("undecodable_image", "no picture")),
    ImageResult('Füchse/\u72d0, "1".jpg', Analysis(_PHOTO, _boxes())),
    ImageResult("no-utf8-\udcff.jpg", Analysis(_PHOTO, ())),
)
"""A picture of every kind, two of them with names that are hard to write."""


def says_what_it_is(result_format: Format) -> None:
    """It has a name that can be typed, the document that it follows, and a suffix."""
    name, suffix = result_format.name, result_format.suffix
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", name), f"expected small letters, digits and - _, got {name!r}"
    assert result_format.source, f"{name}: expected the document that it follows"
    assert re.fullmatch(r"(\.[a-z0-9]+)+", suffix), f"{name}: expected a suffix such as .json, got {suffix!r}"


def writes_results_of_every_kind(result_format: Format) -> None:
    """One file is there in the end, which other people may read as any new file, and nothing else."""
    with TemporaryDirectory() as folder:
        target = _target(folder, result_format)
        _write(result_format, target, RESULTS)
        names = [path.name for path in Path(folder).iterdir()]
        assert names == [target.name], f"expected {target.name} alone, got {names}"
        assert target.stat().st_size > 0, "the file is empty"
        plain = Path(folder) / "plain"
        plain.touch()
        assert target.stat().st_mode == plain.stat().st_mode, "others may not read the file"


def writes_a_run_without_pictures(result_format: Format) -> None:
    """No results make a file too."""
    with TemporaryDirectory() as folder:
        target = _target(folder, result_format)
        _write(result_format, target, ())
        assert target.is_file(), "expected a file without pictures, got none"


def keeps_the_old_file_until_it_is_done(result_format: Format) -> None:
    """Before `finish` the file of an earlier run is untouched; afterwards it is replaced."""
    with TemporaryDirectory() as folder:
        target = _target(folder, result_format)
        target.write_bytes(b"old")
        with result_format.writer(target, WRITING) as writer:
            writer.add(RESULTS[0])
            assert target.read_bytes() == b"old", "the old file was touched before `finish`"
            writer.finish(INFO)
        assert target.read_bytes() != b"old", "`finish` did not replace the old file"


def leaves_no_trace_of_an_interrupted_run(result_format: Format) -> None:
    """A run that ends without `finish` leaves the folder as it was."""
    with TemporaryDirectory() as folder:
        target = _target(folder, result_format)
        target.write_bytes(b"old")
        with suppress(KeyboardInterrupt), result_format.writer(target, WRITING) as writer:
            writer.add(RESULTS[0])
            raise KeyboardInterrupt
        left = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        assert left == {target.name: b"old"}, f"expected the old file alone, got {sorted(left)}"


def finishes_under_another_name(result_format: Format) -> None:
    """`finish(target=...)` puts the file there instead, as for a run that a person stopped."""
    with TemporaryDirectory() as folder:
        target = _target(folder, result_format)
        partial = target.with_name(f"partial{result_format.suffix}")
        with result_format.writer(target, WRITING) as writer:
            writer.add(RESULTS[0])
            writer.finish(INFO, target=partial)
        names = [path.name for path in Path(folder).iterdir()]
        assert names == [partial.name], f"expected {partial.name} alone, got {names}"


def refuses_what_cannot_be_written_before_any_work(result_format: Format) -> None:
    """A folder that is missing, and a target that is a folder, are `OutputNotWritable` at once."""
    with TemporaryDirectory() as folder:
        for target in (_target(f"{folder}/missing", result_format), Path(folder)):
            try:
                with result_format.writer(target, WRITING):
                    pass
            except OutputNotWritable:
                continue
            raise AssertionError(f"expected OutputNotWritable for {target.name}, it was opened")


def needs_no_more_memory_for_more_pictures(result_format: Format) -> None:
    """Results go to the disk as they come."""
    with (
        TemporaryDirectory() as folder,
        result_format.writer(_target(folder, result_format), WRITING) as writer,
    ):
        writer.add(RESULTS[0])
        tracemalloc.start()
        try:
            for number in range(_MANY):
                writer.add(ImageResult(f"{number}.jpg", RESULTS[0].outcome))
            writer.finish(INFO)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < _MOST_BYTES, f"expected less than {_MOST_BYTES:,} bytes for {_MANY} results, got {peak:,}"


FORMAT_RULES: Final[tuple[Rule[Format], ...]] = (
    says_what_it_is,
    writes_results_of_every_kind,
    writes_a_run_without_pictures,
    keeps_the_old_file_until_it_is_done,
    leaves_no_trace_of_an_interrupted_run,
    finishes_under_another_name,
    refuses_what_cannot_be_written_before_any_work,
    needs_no_more_memory_for_more_pictures,
)


def _target(folder: str, result_format: Format) -> Path:
    return Path(folder) / f"results{result_format.suffix}"


def _write(result_format: Format, target: Path, results: tuple[ImageResult, ...]) -> None:
    with result_format.writer(target, WRITING) as writer:
        for result in results:
            writer.add(result)
        writer.finish(INFO)
