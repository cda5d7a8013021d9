"""The tree of errors."""

from collections.abc import Iterator

from okapia.domain.errors import EmptyImage, OkapiaError
from okapia.domain.types import Failure


def subclasses(cls: type[OkapiaError]) -> Iterator[type[OkapiaError]]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def test_no_two_errors_share_a_code_but_by_inheriting_it() -> None:
    codes = [error.code for error in subclasses(OkapiaError) if "code" in vars(error)]

    assert len(codes) == len(set(codes))


def test_a_failure_keeps_the_errors_code_and_sentence() -> None:
    assert Failure.of(EmptyImage()) == Failure("empty_image", "expected an image, got 0 bytes")
