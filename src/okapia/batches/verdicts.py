"""How a picture ended, told from its result."""

from collections import Counter
from collections.abc import Iterable

from okapia.batches.batch import Counts, Verdict
from okapia.batches.source import MissingPicture
from okapia.domain.errors import (
    BadImage,
    ClipTooLong,
    EmptyImage,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from okapia.domain.types import Failure, ImageResult

_BY_CODE = {
    BadImage.code: Verdict.UNDECODABLE,
    EmptyImage.code: Verdict.UNDECODABLE,
    TruncatedImage.code: Verdict.UNDECODABLE,
    UnsupportedFormat.code: Verdict.UNSUPPORTED,
    TooManyPixels.code: Verdict.UNSUPPORTED,
    ClipTooLong.code: Verdict.UNSUPPORTED,
    MissingPicture.code: Verdict.MISSING,
}


def verdict_of(result: ImageResult) -> Verdict:
    """Say how a picture ended; `FAILED` for whatever is not the picture's own state."""
    outcome = result.outcome
    if isinstance(outcome, Failure):
        return _BY_CODE.get(outcome.code, Verdict.FAILED)
    return Verdict.DAMAGED if outcome.image.is_damaged else Verdict.DONE


def count(verdicts: Iterable[Verdict]) -> Counts:
    """Count how pictures ended."""
    return Counts.of(Counter(verdicts))
