"""What came of `okapia speciesnet run`, in words and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from okapia.cli.run_summary import FAILURES_SHOWN, FIRST_LOOK
from okapia.cli.speciesnet_steps import Asked
from okapia.domain.taxonomy import UNKNOWN, Taxon
from okapia.domain.types import Failure
from okapia.formats.megadetector import as_utf8
from okapia.formats.speciesnet import Entry, document, rounded
from okapia.models.card import PROFILES
from okapia.pipeline.ensemble import picture_prediction


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        n_kept: answers of an earlier run that were kept.
        model_ids: of the networks that looked; none where the ensemble ran alone.
    """

    entries: tuple[Entry, ...]
    failures: Sequence[tuple[str, Failure]]
    n_kept: int
    output: Path | None
    asked: Asked
    model_ids: tuple[str, ...] = ()

    def document(self) -> str:
        """The predictions JSON itself."""
        made = document(self.entries, self.asked.version, top=self.asked.top)
        return orjson.dumps(rounded(made), option=orjson.OPT_INDENT_2).decode()

    def as_json(self, seconds: float) -> str:
        """One JSON object for machines."""
        summary = {
            "output": as_utf8(str(self.output)) if self.output else None,
            "images": len(self.entries),
            "kept": self.n_kept,
            "answers": dict(self._answers()),
            "unchecked": self._unchecked(),
            "failed": len(self.failures),
            "failures": [{"file": name, "code": f.code, "message": f.message} for name, f in self.failures],
            "seconds": round(seconds, 2),
            "note": FIRST_LOOK if self._is_lite else None,
        }
        return orjson.dumps(summary).decode()

    def as_text(self, seconds: float) -> str:
        """Lines for people."""
        return "\n".join(self._lines(seconds))

    def _lines(self, seconds: float) -> Iterator[str]:
        counts = ", ".join(f"{count} {what}" for what, count in self._answers().most_common(10))
        yield f"{counted(len(self.entries))} in {seconds:.0f} s" + (f": {counts}" if counts else "")
        if self.n_kept:
            yield f"kept what was there already: {self.n_kept} of these answers"
        if self.failures:
            yield f"incomplete: {counted(len(self.failures))}; the same command tries again"
            yield from (f"  {name}: {f.message} [{f.code}]" for name, f in self.failures[:FAILURES_SHOWN])
            if len(self.failures) > FAILURES_SHOWN:
                yield f"  … and {len(self.failures) - FAILURES_SHOWN} more; all are in the predictions"
        if unchecked := self._unchecked():
            yield (
                f"without a country, and so not checked against any range: {counted(unchecked)} "
                "(--country KEN)"
            )
        if self.output is not None:
            yield f"Predictions: {as_utf8(str(self.output))}"
        if self._is_lite:
            yield FIRST_LOOK

    def _answers(self) -> Counter[str]:
        """Pictures by the common name of their answer."""
        found = (entry.prediction or picture_prediction(entry.detections or ()) for entry in self.entries)
        return Counter(_name(prediction.taxon) for prediction in found if prediction is not None)

    def _unchecked(self) -> int:
        """Pictures with an answer and without a country, where ranges were to be checked."""
        if not self.asked.is_fenced:
            return 0
        answered = (e for e in self.entries if e.prediction or picture_prediction(e.detections or ()))
        return sum(1 for entry in answered if not entry.instance.country)

    @property
    def _is_lite(self) -> bool:
        return bool(set(self.model_ids) & set(PROFILES["lite"].model_ids))


def _name(taxon: Taxon) -> str:
    return "unknown" if taxon == UNKNOWN else taxon.common_name or taxon.scientific_name


def counted(number: int) -> str:
    """Say how many pictures."""
    return f"{number} picture" if number == 1 else f"{number} pictures"
