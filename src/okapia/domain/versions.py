"""What has to be the same wherever pictures of one batch are analysed."""

import platform
from dataclasses import dataclass
from typing import Self

from okapia import __version__
from okapia.domain.errors import OkapiaError


@dataclass(frozen=True, slots=True)
class Versions:
    """What a process runs.

    Attributes:
        ray: empty where Ray has no part.
    """

    okapia: str
    python: str
    ray: str = ""

    @classmethod
    def here(cls, *, ray: str = "") -> Self:
        """Give this process's."""
        return cls(__version__, platform.python_version(), ray)

    def __str__(self) -> str:
        with_ray = f" with Ray {self.ray}" if self.ray else ""
        return f"Okapia {self.okapia} on Python {self.python}{with_ray}"


class VersionsDiffer(OkapiaError):
    """Two processes were to work on one batch, and might answer differently."""

    code = "versions_differ"

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, got {actual}")
