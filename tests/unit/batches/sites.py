"""Sites for actors that do without pictures; importable in an actor, which is another process."""

import hashlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from okapia.batches.batch import Counts
from okapia.batches.shard import ShardResult
from okapia.domain.types import Failure

MODEL = b"a network"
MODEL_SHA256 = hashlib.sha256(MODEL).hexdigest()


@dataclass(frozen=True, slots=True)
class Errand:
    """What a site is to do.

    Attributes:
        dies_unless: the site's process ends, as if killed, as long as this file is not there; it makes it.
        refuses: what the site says in place of a result.
    """

    text: str
    dies_unless: Path | None = None
    refuses: Failure | None = None


class Echo:
    """Gives what it is told and the process that it is in; needs one model first."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def lacks(self, order: Errand) -> Sequence[str]:
        del order
        return [sha256 for sha256 in (MODEL_SHA256,) if sha256 not in self._kept]

    def keep(self, sha256: str, data: bytes) -> None:
        self._kept[sha256] = data

    def work_off(self, order: Errand) -> ShardResult | Failure:
        if order.dies_unless is not None and not order.dies_unless.exists():
            order.dies_unless.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if order.refuses is not None:
            return order.refuses
        said = f"{order.text} {self._kept[MODEL_SHA256].decode()} {os.getpid()}"
        return ShardResult(said.encode(), Counts(done=1))


class Broken(Echo):
    """Cannot even begin."""

    def __init__(self) -> None:
        raise RuntimeError("no disk here")
