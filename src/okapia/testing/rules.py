"""What a rule is."""

from typing import Protocol, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)


class Rule(Protocol[T_contra]):
    """Raises `AssertionError` where a case breaks it; `__name__` says what it asks for."""

    __name__: str

    def __call__(self, case: T_contra, /) -> None: ...
