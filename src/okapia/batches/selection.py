"""Which of the pictures that a source has a batch is about."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from okapia.batches.items import Item
from okapia.domain.errors import InvalidRequest

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a listing is wanted; applied in the order of the attributes, which is Microsoft's.

    Attributes:
        prefix: of the name, case counts.
        suffixes: of the name, in lower case; what has another is not a picture of this batch. Clips are
            wanted where `okapia.domain.clips.VIDEO_SUFFIXES` are among them.
        first_n: of what is left, in the order of the listing; more than there are is fine.
        sample_n: of what is left then, at random; more than there are is refused.
        most: pictures that a batch may have; None for any number.
        seed: makes the sample the same again.
    """

    prefix: str = ""
    suffixes: tuple[str, ...] = SUFFIXES
    first_n: int | None = None
    sample_n: int | None = None
    most: int | None = None
    seed: int = field(default=0)

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Give the wanted pictures in the order of the listing, in memory that only a sample makes grow.

        Raises:
            InvalidRequest: the sample is larger than what there is, or there are more than `most`.
        """
        wanted = islice((item for item in items if self._is_wanted(item)), self.first_n)
        chosen = wanted if self.sample_n is None else iter(self._sample(wanted, self.sample_n))
        return self._bounded(chosen)

    def _is_wanted(self, item: Item) -> bool:
        if not item.name.startswith(self.prefix):
            return False
        # What could not be looked into has no suffix to be judged by, and is not left out in silence.
        return item.problem is not None or item.name.lower().endswith(self.suffixes)

    def _sample(self, items: Iterator[Item], size: int) -> list[Item]:
        """Draw without replacement, each picture with the same chance (Vitter's algorithm R)."""
        chance = random.Random(self.seed)  # noqa: S311 - a sample, no secret
        chosen = list(enumerate(islice(items, size)))
        if len(chosen) < size:
            raise InvalidRequest(
                f"expected at least sample_n = {size} pictures, found {len(chosen)}", param="sample_n"
            )
        for place, item in enumerate(items, size):
            if (seat := chance.randrange(place + 1)) < size:
                chosen[seat] = (place, item)
        return [item for _, item in sorted(chosen, key=lambda pair: pair[0])]

    def _bounded(self, items: Iterator[Item]) -> Iterator[Item]:
        for number, item in enumerate(items, 1):
            if self.most is not None and number > self.most:
                raise InvalidRequest(f"expected at most {self.most:,} pictures, found more", param="images")
            yield item
