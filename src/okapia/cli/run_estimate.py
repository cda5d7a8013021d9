"""How long a run would take: some of its own pictures are timed, and nothing is written."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import orjson

from okapia.app import build_service
from okapia.batches.items import Item
from okapia.batches.selection import Selection
from okapia.cli.run_plan import Plan
from okapia.cli.run_source import DiskSource
from okapia.domain.errors import NothingToDo
from okapia.domain.models import ModelChoice
from okapia.models.card import PROFILES
from okapia.models.weights.store import ModelStore
from okapia.service import NamedImage, Service

SAMPLE = 20
"""Pictures that each profile is timed with."""

_COMPARED = ("lite", "field")


@dataclass(frozen=True, slots=True)
class Timing:
    """What some pictures took."""

    images: int
    seconds: float

    def hours_for(self, images: int) -> float:
        """Give what so many would take."""
        return images * self.seconds / self.images / 3600


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would be.

    Attributes:
        n_bytes: of all its files.
        timings: by profile; None where its models are not installed.
    """

    images: int
    n_bytes: int
    timings: Mapping[str, Timing | None]

    def as_text(self) -> str:
        size = f"{self.n_bytes / 1e9:,.1f} GB" if self.n_bytes >= 1e9 else f"{self.n_bytes / 1e6:.1f} MB"
        lines = [f"{self.images:,} pictures, {size}"]
        return "\n".join([*lines, *(self._line(name, timing) for name, timing in self.timings.items())])

    def as_json(self) -> str:
        profiles = {
            name: timing
            and {
                "images": timing.images,
                "seconds": round(timing.seconds, 3),
                "hours": round(timing.hours_for(self.images), 4),
            }
            for name, timing in self.timings.items()
        }
        document = {"images": self.images, "bytes": self.n_bytes, "profiles": profiles}
        return orjson.dumps(document).decode()

    def _line(self, name: str, timing: Timing | None) -> str:
        if timing is None:
            return f"{name}: not installed (`okapia models pull {name}`)"
        rate, hours = timing.images / timing.seconds, timing.hours_for(self.images)
        return f"{name}: {_rounded(hours)} hours, by {timing.images} of them at {rate:.1f} a second"


def estimate(plans: Sequence[Plan]) -> Estimate:
    """Time some of the pictures with the models of both profiles, as far as they are installed.

    Raises:
        NothingToDo: there is no picture.
        ModelError: an installed model is damaged, or does not answer.
    """
    plan = plans[0]
    paths = [path for plan in plans for path in plan.paths]
    source = DiskSource(paths, max_bytes=plan.settings.max_file_bytes, suffixes=plan.suffixes)
    images, n_bytes = _tally(source)
    if not images:
        raise NothingToDo(f"no pictures in {', '.join(map(str, paths))}")
    samples = _samples(source, images)
    with closing(build_service(plan.settings)) as service:
        timings = {
            name: _timed(plan, name, service, source, sample)
            for name, sample in zip(_COMPARED, samples, strict=True)
        }
    return Estimate(images, n_bytes, timings)


def _tally(source: DiskSource) -> tuple[int, int]:
    """Count pictures and their bytes."""
    images = n_bytes = 0
    for item in source.items():
        images += 1
        n_bytes += item.n_bytes or 0
    return images, n_bytes


def _samples(source: DiskSource, images: int) -> list[list[Item]]:
    """Draw pictures for each profile: others where there are enough, for those of before are in memory."""
    drawn = min(images, SAMPLE * len(_COMPARED))
    suffixes = tuple({PurePath(item.name).suffix.lower() for item in source.items()})
    chosen = list(Selection(suffixes=suffixes, sample_n=drawn).of(source.items()))
    each = min(images, SAMPLE)
    return [chosen[:each], chosen[-each:]]


def _timed(plan: Plan, name: str, service: Service, source: DiskSource, sample: list[Item]) -> Timing | None:
    """Analyse some pictures with the models of a profile; None when they are not installed."""
    profile = PROFILES[name]
    classifier = profile.classifier if plan.options.classify else None
    choice = ModelChoice(profile.detector, classifier, plan.choice.tiles)
    store = ModelStore(plan.settings.models_dir)
    if any(store.find(model_id) is None for model_id in choice.model_ids):
        return None
    service.check_ready(choice)
    images = [NamedImage(item.name, partial(source.read, item)) for item in sample]
    started = time.perf_counter()
    for _ in service.analyze_many(images, plan.options, choice=choice):
        pass
    return Timing(len(sample), time.perf_counter() - started)


def _rounded(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.1g}"
