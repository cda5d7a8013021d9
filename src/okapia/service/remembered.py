"""Answers that were given before: one account's picture is inferred once by the same models and options."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import msgspec
import orjson
import structlog

from okapia.domain.types import Analysis, AnalysisOptions, ImageResult
from okapia.storage.answer_cache import AnswerCache

_log = structlog.get_logger(__name__)

Answer = Callable[[str, bytes], ImageResult]
"""Analyses a picture: its name, its encoded file."""

# MessagePack: its numbers come back as they were, and it is a sixth of pydantic's time.
_ANALYSIS = msgspec.msgpack.Decoder(Analysis)
_ENCODER = msgspec.msgpack.Encoder()


class Remembered:
    """Answers by the hash of a picture, the account, the models' fingerprint and the options.

    Only analyses are kept: what failed is tried again. Pictures that are alike wait for each other within a
    process, so they are inferred once; two processes may both infer one that they meet at the same time.
    """

    def __init__(self, cache: AnswerCache | None) -> None:
        """Keep answers in `cache`; None keeps none."""
        self._cache = cache
        self._turns = _Turns()

    def of(self, user_id: str) -> "RememberedOf":
        """Give the answers of one account, which never tell what others have sent."""
        return RememberedOf(self, user_id)

    def around(self, analyse: Answer, about: bytes) -> Answer:
        """Give what analyses only pictures that it does not know; raises what `analyse` raises.

        Args:
            about: all but the picture that an answer depends on.
        """
        return partial(self._answer, self._cache, analyse, about) if self._cache else analyse

    def close(self) -> None:
        """Let go of the file."""
        if self._cache:
            self._cache.close()

    def _answer(
        self, cache: AnswerCache, analyse: Answer, about: bytes, name: str, data: bytes
    ) -> ImageResult:
        key = hashlib.sha256(about + hashlib.sha256(data).digest()).digest()
        with self._turns.one(key):
            started = perf_counter()
            known = _known(cache, key)
            if known is not None:
                return ImageResult(name, known, perf_counter() - started)
            result = analyse(name, data)
            if isinstance(result.outcome, Analysis):
                cache.put(key, _ENCODER.encode(result.outcome))
            return result


@dataclass(frozen=True, slots=True)
class RememberedOf:
    """The answers that one account was given before."""

    remembered: Remembered
    user_id: str

    def around(self, analyse: Answer, *, fingerprint: str, options: AnalysisOptions) -> Answer:
        """Give what analyses only pictures that this account has not had analysed before.

        Args:
            fingerprint: of the models that `analyse` has (`Models.fingerprint`).
            options: that it goes by.
        """
        about = orjson.dumps([self.user_id, fingerprint, options])
        return self.remembered.around(analyse, hashlib.sha256(about).digest())


def _known(cache: AnswerCache, key: bytes) -> Analysis | None:
    kept = cache.get(key)
    if kept is None:
        return None
    try:
        return _ANALYSIS.decode(kept)
    except msgspec.DecodeError as error:  # written by an Okapia whose answers looked otherwise
        _log.warning("answer_unreadable", reason=str(error))
        return None


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0


class _Turns:
    """Lets one thread at a time through for each key."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[bytes, _Turn] = {}

    @contextmanager
    def one(self, key: bytes) -> Iterator[None]:
        with self._guard:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._guard:
                turn.wanted -= 1
                if turn.wanted == 0:
                    del self._turns[key]
