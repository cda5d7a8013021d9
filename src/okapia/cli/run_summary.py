"""What came of a run, in words and as JSON."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from okapia.domain.models import ModelReport
from okapia.domain.types import Analysis, Failure, ImageResult, Where
from okapia.formats.megadetector import as_utf8
from okapia.models.card import PROFILES

FIRST_LOOK = (
    "Lite models are for a first look, not for a survey: of 14 camera-trap test pictures they put 12 into "
    "the right category and missed a person and a hen (docs/accuracy.md). For a survey run "
    "`okapia models pull field` once, then `okapia run --profile field`."
)
UNCHECKED = "No country was given, so species were not checked against a range (--country)."
FAILURES_SHOWN = 20


@dataclass(slots=True)
class Summary:
    """What came of a run.

    Attributes:
        found: pictures by what they hold at the threshold; a picture with an animal and a
            person counts under both, one without any under `blank`.
        failures: name and reason of every picture without an answer.
        reused: pictures whose answer an earlier run had.
    """

    output: Path
    reports: tuple[ModelReport, ...]
    threshold: float
    where: Where = field(default_factory=Where)
    images: int = 0
    found: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    failures: list[tuple[str, Failure]] = field(default_factory=list)
    reused: int = 0

    def add(self, result: ImageResult) -> None:
        self.images += 1
        match result.outcome:
            case Failure() as failure:
                self.failures.append((result.name, failure))
            case Analysis() as analysis:
                self.found.update(c.value for c in analysis.above(self.threshold).categories())
                self.found["blank"] += not analysis.above(self.threshold).detections
                self.damaged += analysis.image.is_damaged

    @property
    def is_lite(self) -> bool:
        return any(report.model_id in PROFILES["lite"].model_ids for report in self.reports)

    @property
    def is_unchecked(self) -> bool:
        """Species were named without knowing where the pictures were taken."""
        return self.where.country is None and any(report.task == "classifier" for report in self.reports)

    def as_json(self, seconds: float) -> str:
        """One JSON object for machines."""
        document = {
            "output": as_utf8(str(self.output)),
            "images": self.images,
            "reused": self.reused,
            "found": dict(+self.found),
            "damaged": self.damaged,
            "failed": len(self.failures),
            "failures": [
                {"file": as_utf8(name), "code": f.code, "message": f.message} for name, f in self.failures
            ],
            "seconds": round(seconds, 2),
            "images_per_second": round(self.images / seconds, 2),
            "models": self.reports,
            "country": self.where.country,
            "state": self.where.state,
            "note": FIRST_LOOK if self.is_lite else None,
        }
        return orjson.dumps(document).decode()

    def as_text(self, seconds: float) -> str:
        """Lines for people; the last says how far the models can be trusted."""
        rate = self.images / seconds
        counts = ", ".join(f"{count} {what}" for what, count in sorted((+self.found).items()))
        head = f"{self.images} pictures in {seconds:.0f} s ({rate:.1f} a second)"
        lines = [f"{head}: {counts or 'none with an answer'}"]
        if self.reused:
            lines.append(f"{self.reused} of them were answered by an earlier run and have not changed since")
        if self.is_unchecked:
            lines.append(UNCHECKED)
        if self.damaged:
            lines.append(f"{self.damaged} damaged files: what could be decoded was analysed")
        if self.failures:
            lines.append(f"{len(self.failures)} without an answer:")
            lines += [
                f"  {as_utf8(name)}: {f.message} [{f.code}]" for name, f in self.failures[:FAILURES_SHOWN]
            ]
            if len(self.failures) > FAILURES_SHOWN:
                lines.append(
                    f"  … and {len(self.failures) - FAILURES_SHOWN} more; all are in the results file"
                )
        lines.append(f"Results: {as_utf8(str(self.output))}")
        return "\n".join([*lines, FIRST_LOOK] if self.is_lite else lines)
