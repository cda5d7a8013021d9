"""The answers of one run: those of a file that is there already, the new ones, and saving both."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from okapia.cli.speciesnet_request import Part
from okapia.cli.speciesnet_steps import Answer, Asked
from okapia.domain.errors import InvalidRequest
from okapia.domain.types import Failure
from okapia.formats.megadetector import as_utf8
from okapia.formats.speciesnet import Entry, Instance, SpeciesNetWriter, Version
from okapia.formats.speciesnet_files import read_predictions
from okapia.pipeline.run import EVERY_BOX_FROM


class PredictionsFile:
    """Answers by picture, in the order of the pictures.

    Attributes:
        to_do: pictures without an answer, and those whose answer was a failure.
        n_kept: answers taken over from an existing file.
        failures: name and reason of every new answer that lacks something.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        *,
        output: Path | None,
        asked: Asked,
        part: Part,
        is_fresh: bool,
    ) -> None:
        """Take over what `output` holds, unless `is_fresh`.

        Raises:
            InvalidRequest: it is no predictions file, or one of other pictures, places, models or the other
                format.
            OutputNotWritable: it cannot be written.
        """
        self._instances = instances
        self._output = output
        self._asked = asked
        if output is not None:
            with self._writer(output):
                pass  # a file that cannot be written is found out before hours of work
        self._entries: dict[str, Entry] = {}
        if output is not None and output.exists() and not is_fresh:
            self._entries = self._taken_over(output, part)
        self.n_kept = len(self._entries)
        self.to_do = tuple(i for i in instances if as_utf8(i.filepath) not in self._entries)
        self.failures: list[tuple[str, Failure]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Give the answers that there are, in the order of the pictures."""
        names = (as_utf8(instance.filepath) for instance in self._instances)
        return (self._entries[name] for name in names if name in self._entries)

    def add(self, answer: Answer) -> None:
        """Take a new answer."""
        name = as_utf8(answer.entry.instance.filepath)
        self._entries[name] = answer.entry
        if answer.problem is not None:
            self.failures.append((name, answer.problem))

    def save(self) -> None:
        """Put all answers into the file, which is whole at every moment.

        Raises:
            OutputNotWritable: the disk is full or gone.
        """
        if self._output is None:
            return
        with self._writer(self._output) as writer:
            for entry in self:
                writer.add_entry(entry)
            writer.finish()

    def _writer(self, output: Path) -> SpeciesNetWriter:
        asked = self._asked
        return SpeciesNetWriter(
            output, version=asked.version, model_version=asked.model_version, top=asked.top
        )

    def _taken_over(self, file: Path, part: Part) -> dict[str, Entry]:
        found = read_predictions(file)
        if found.version is not self._asked.version:
            names = {Version.OLD: "old", Version.NEW: "new"}
            raise _other(
                file, f"is in the {names[found.version]} format, not in the {names[self._asked.version]}"
            )
        known = {as_utf8(instance.filepath): instance for instance in self._instances}
        for entry in found.entries:
            self._check(file, entry, known.get(entry.instance.filepath))
        return {
            path: entry
            for path, entry in found.by_filepath().items()
            if _is_done(entry, part, self._asked.version)
        }

    def _check(self, file: Path, entry: Entry, instance: Instance | None) -> None:
        """Refuse an answer that this run would not have made."""
        path, there = entry.instance.filepath, entry.instance
        if instance is None:
            raise _other(file, f"holds {path}, which is not among the pictures of this run")
        place = (there.country, there.admin1_region)
        if place != (instance.country or None, instance.admin1_region or None):
            raise _other(file, f"has {path} at another place ({_place(there)}, now {_place(instance)})")
        version = self._asked.model_version
        if version and entry.model_version != version:
            raise _other(file, f"was made by {entry.model_version!r}, this run would be by {version!r}")


def _other(file: Path, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{file} {what}; name another file, or begin anew with --ignore-existing-predictions",
        param="predictions_json",
    )


def _place(instance: Instance) -> str:
    return " ".join(filter(None, (instance.country, instance.admin1_region))) or "no country"


def _is_done(entry: Entry, part: Part, version: Version) -> bool:
    """Whether nothing is missing that the part would make."""
    boxes = entry.detections
    has_scores = entry.classifications is not None
    if entry.failures:
        return False
    if part is Part.DETECTOR:
        return boxes is not None
    if part is Part.CLASSIFIER and version is Version.OLD:
        return has_scores
    if version is Version.OLD or has_scores:
        return entry.prediction is not None or part is Part.CLASSIFIER
    sure = [box for box in boxes or () if box.confidence >= EVERY_BOX_FROM]
    return boxes is not None and all(box.classifications for box in sure)
