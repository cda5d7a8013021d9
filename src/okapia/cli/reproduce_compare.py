"""Whether two answers to one picture are the same, as far as they ought to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from okapia.formats.written import Corner, WrittenImage, WrittenResults


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two numbers may lie apart.

    Attributes:
        confidence: of confidences and scores.
        box: of each of a box's four fractions.
    """

    confidence: float
    box: float


AS_WRITTEN = Tolerance(0.0, 0.0)
ACROSS_ENGINES = Tolerance(confidence=0.005, box=0.001)
"""What engines, precisions and devices may differ by."""

_SAME_THING = 0.05
"""Boxes whose sides are this close show the same thing, differently seen."""
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Seen:
    """A box of a results file, by names.

    Attributes:
        taxon: label of the answer; empty where it was not classified.
    """

    category: str
    confidence: float
    bbox: Corner
    frame: int | None
    taxon: str = ""
    score: float = 0.0

    def __str__(self) -> str:
        """Name it for people."""
        frame = "" if self.frame is None else f" in frame {self.frame}"
        return f"{self.category} {self.confidence:.4f}{frame}"


def seen_in(image: WrittenImage, results: WrittenResults) -> list[Seen]:
    """Give what an image of a file shows."""
    found = []
    for box in image.detections or ():
        taxon, score = box.classifications[0] if box.classifications else ("", 0.0)
        category = results.categories.get(box.category, box.category)
        label = results.taxa.get(taxon, taxon)
        found.append(Seen(category, box.conf, box.bbox, box.frame_number, label, score))
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """How answers are compared.

    Attributes:
        keep_above: least confidence of a box that was written; one that is hardly above it may be lacking.
        threshold: least confidence of a box that was classified.
        has_taxa: whether taxa depend on the picture alone, and so are compared.
    """

    tolerance: Tolerance
    keep_above: float
    threshold: float
    has_taxa: bool

    def differences(self, then: Sequence[Seen], now: Sequence[Seen]) -> list[str]:
        """Name everything that differs by more than the tolerance; nothing when all is the same."""
        left, said = list(now), []
        for box in then:
            again = _nearest(box, left)
            if again is not None:
                left.remove(again)
                said += [f"{box}: {what}" for what in self._changes(box, again)]
            elif not self._is_at(self.keep_above, box):
                said.append(f"{box}: not found now")
        said += [f"{box}: not found then" for box in left if not self._is_at(self.keep_above, box)]
        return said

    def _changes(self, then: Seen, now: Seen) -> Iterator[str]:
        allowed = self.tolerance
        if abs(now.confidence - then.confidence) > allowed.confidence + _NOISE:
            yield f"confidence {now.confidence:.4f} now"
        if (moved := _distance(then, now)) > allowed.box + _NOISE:
            yield f"a side of its box lies {moved:.4f} elsewhere now"
        if not self.has_taxa or self._is_at(self.threshold, then):
            return
        if now.taxon != then.taxon:
            yield f"{_named(then.taxon)} then, {_named(now.taxon)} now"
        elif abs(now.score - then.score) > allowed.confidence + _NOISE:
            yield f"{_named(then.taxon)} {then.score:.4f} then, {now.score:.4f} now"

    def _is_at(self, limit: float, box: Seen) -> bool:
        """Whether a box may lie on either side of a limit."""
        return abs(box.confidence - limit) < self.tolerance.confidence + _NOISE


def _nearest(box: Seen, others: Sequence[Seen]) -> Seen | None:
    """Give the box of the same thing."""
    alike = [
        other
        for other in others
        if (other.category, other.frame) == (box.category, box.frame) and _distance(box, other) <= _SAME_THING
    ]
    return min(alike, key=lambda o: (_distance(box, o), abs(o.confidence - box.confidence)), default=None)


def _distance(one: Seen, other: Seen) -> float:
    return max(abs(a - b) for a, b in zip(one.bbox, other.bbox, strict=True))


def _named(label: str) -> str:
    """Give the last name of a seven-part label, or of a plain one."""
    return next((part for part in reversed(label.split(";")) if part), "no species")
