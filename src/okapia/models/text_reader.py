"""Reads text in pictures with RapidOCR; no other file knows it.

Its networks (PP-OCRv6 small, Apache-2.0) come inside its package. They are named to it by path, for what
it has to look for itself it would fetch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Final

import numpy as np

from okapia.domain.errors import ModelError, OcrNotInstalled
from okapia.domain.types import BBox
from okapia.vision.resample import Pixels

if TYPE_CHECKING:
    from rapidocr import RapidOCR

_SEARCHED_SIDE: Final = 1280
"""Pixels of the longer side in which text is found; it is then read from the larger picture.

Of 307 values on 68 info strips 296 come out right; 279 with 1024 pixels, in 70 % of the time."""

_LEAST_SCORE: Final = 0.7
"""Leaves and bark are read as text too, with scores of 0.5 to 0.65."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A piece of text on one line; wide gaps cut a line into several.

    Attributes:
        score: mean probability of its characters, 0.7..1; what is less sure is left out.
        bbox: fractions of the picture that was read.
    """

    text: str
    score: float
    bbox: BBox


class TextReader:
    """Finds and reads upright text.

    Nothing is loaded before the first picture or `load`. Safe to use from several threads.
    """

    def __init__(self, *, streams: int = 2) -> None:
        """Allow `streams` pictures at once, at least 1: each takes a core and some 100 MB; others wait."""
        self._idle: LifoQueue[RapidOCR | None] = LifoQueue()
        for _ in range(streams):
            self._idle.put(None)

    def load(self) -> None:
        """Have an engine ready, so that the first picture does not wait a second for it.

        Raises:
            OcrNotInstalled: the extra `ocr` is missing.
            ModelError: the installed RapidOCR does not hold the networks.
        """
        with self._engine():
            pass

    def read(self, pixels: Pixels) -> tuple[TextLine, ...]:
        """Give the text in a picture, in no particular order.

        Raises:
            OcrNotInstalled: as `load`.
            ModelError: as `load`, or the networks do not answer.
        """
        bgr = np.ascontiguousarray(pixels[:, :, ::-1])
        with self._engine() as engine:
            try:
                found = engine(bgr)
            except Exception as error:  # RapidOCR's errors share no base of their own
                raise ModelError(
                    f"RapidOCR does not read a picture of {pixels.shape[1]} x {pixels.shape[0]}: {error}"
                ) from error
        return tuple(_lines(found, pixels))

    @contextmanager
    def _engine(self) -> Iterator["RapidOCR"]:
        """Lend an engine; RapidOCR keeps a picture's measures in itself, so each serves one at a time."""
        engine = self._idle.get()
        try:
            engine = engine or _load()
            yield engine
        finally:
            self._idle.put(engine)


def _load() -> "RapidOCR":
    try:
        import rapidocr  # noqa: PLC0415 - an extra, and a second of imports
        from rapidocr import RapidOCR  # noqa: PLC0415 - as above
    except ImportError as error:
        raise OcrNotInstalled from error
    networks = Path(rapidocr.__file__).parent / "models"
    settings = {
        # Its own logger writes to standard error, past ours; what matters is raised.
        "Global.log_level": "critical",
        "Global.text_score": _LEAST_SCORE,
        "Global.use_cls": False,  # info strips are upright
        "Global.use_vertical_padding": False,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "Det.model_path": str(_network(networks, "det")),
        "Det.limit_type": "max",
        "Det.limit_side_len": _SEARCHED_SIDE,
        "Rec.model_path": str(_network(networks, "rec")),
        "Rec.rec_batch_num": 1,  # several at once are padded to the longest
    }
    nothing = np.zeros((48, 320, 3), dtype=np.uint8)
    try:
        engine = RapidOCR(params=settings)
        # Each network loads when it is first used; the last call leaves both switched on.
        engine(nothing, use_det=False)
        engine(nothing, use_det=True)
    except Exception as error:  # as in `read`
        raise ModelError(f"RapidOCR does not start: {error}") from error
    return engine


def _network(folder: Path, task: str) -> Path:
    found = sorted(folder.glob(f"*_{task}_*.onnx"))
    if not found:
        raise ModelError(
            f"expected a network *_{task}_*.onnx in RapidOCR's package, found none; reinstall it"
        )
    return found[0]


def _lines(found: object, pixels: Pixels) -> Iterator[TextLine]:
    from rapidocr.utils.output import RapidOCROutput  # noqa: PLC0415 - see `_load`

    # Without text there is an answer of another type, or one without boxes.
    if not isinstance(found, RapidOCROutput) or found.boxes is None:
        return
    height, width, _ = pixels.shape
    for text, score, corners in zip(found.txts or (), found.scores or (), found.boxes, strict=True):
        left, top = corners.min(axis=0).tolist()
        right, bottom = corners.max(axis=0).tolist()
        bbox = BBox.from_corners(left / width, top / height, right / width, bottom / height)
        yield TextLine(text, float(score), bbox)
