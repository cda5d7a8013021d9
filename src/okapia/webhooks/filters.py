"""Which detections an endpoint wants to be told of."""

from dataclasses import dataclass
from datetime import time
from typing import Self, TypedDict

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ROOT, Taxon, parent_keys
from okapia.domain.types import Category, Detection
from okapia.webhooks.events import Seen, score_of, taxon_of


class StoredFilter(TypedDict):
    """A filter as JSON; `hours` as `["20:00:00", "06:00:00"]`."""

    categories: list[str]
    taxon: str | None
    cameras: list[str]
    min_score: float
    hours: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day: from `start` to just before `end`, over midnight where `end` is the earlier.

    Raises:
        InvalidRequest: they are the same, which could mean never or always.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise InvalidRequest(
                f"hours: expected two different times, got {self.start} twice", param="hours"
            )

    def __contains__(self, moment: time) -> bool:
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


@dataclass(frozen=True, slots=True)
class DetectionFilter:
    """What a detection and its picture must be; all that is set must hold, nothing set lets all through.

    Attributes:
        categories: any of them; empty for all.
        taxon: it or anything below it; what no classifier was asked about is an animal and nothing more.
        cameras: any of these exact names; empty for all. An unknown camera is none of them.
        min_score: least score, 0..1, as the answer shows it.
        hours: by the camera's clock; an unknown time lies in none.
    """

    categories: frozenset[Category] = frozenset()
    taxon: Taxon | None = None
    cameras: frozenset[str] = frozenset()
    min_score: float = 0.0
    hours: Hours | None = None

    def matching(self, seen: Seen) -> tuple[Detection, ...]:
        """Give the detections of a picture that are wanted, in their order."""
        if not self._wants_picture(seen):
            return ()
        return tuple(detection for detection in seen.analysis.detections if self._wants(detection))

    def stored(self) -> StoredFilter:
        """Give it as the database keeps it."""
        return {
            "categories": sorted(category.value for category in self.categories),
            "taxon": self.taxon.label if self.taxon else None,
            "cameras": sorted(self.cameras),
            "min_score": self.min_score,
            "hours": (self.hours.start.isoformat(), self.hours.end.isoformat()) if self.hours else None,
        }

    @classmethod
    def of_stored(cls, stored: StoredFilter) -> Self:
        hours = stored["hours"]
        return cls(
            categories=frozenset(Category(name) for name in stored["categories"]),
            taxon=Taxon.from_label(stored["taxon"]) if stored["taxon"] else None,
            cameras=frozenset(stored["cameras"]),
            min_score=stored["min_score"],
            hours=Hours(time.fromisoformat(hours[0]), time.fromisoformat(hours[1])) if hours else None,
        )

    def _wants_picture(self, seen: Seen) -> bool:
        if self.cameras and seen.camera not in self.cameras:
            return False
        return self.hours is None or (seen.captured_at is not None and seen.captured_at.time() in self.hours)

    def _wants(self, detection: Detection) -> bool:
        if self.categories and detection.category not in self.categories:
            return False
        if self.taxon is not None and not _is_within(taxon_of(detection), self.taxon):
            return False
        return score_of(detection) >= self.min_score


def _is_within(taxon: Taxon | None, wanted: Taxon) -> bool:
    """Tell whether a taxon is `wanted` or below it; labels that are no animal are only themselves."""
    if taxon is None:
        return False
    if not (wanted.is_animal and taxon.is_animal):
        return taxon.id == wanted.id
    return wanted.key in {ROOT, taxon.key, *parent_keys(taxon.key)}
