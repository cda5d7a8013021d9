"""Pictures that gateways' programs leave here: kept as they came, and as copies that show what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from okapia.domain.errors import OkapiaError
from okapia.domain.types import Detection, People
from okapia.service.analysis import Service
from okapia.storage.album import Album

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeepingOptions:
    """Where pictures are kept, for how long, and how many bytes of them together."""

    folder: Path
    life: timedelta
    max_bytes: int


class Keeper:
    """Keeps pictures with their copies."""

    def __init__(self, service: Service, options: KeepingOptions) -> None:
        """Take the folder over; raises `StorageUnavailable`."""
        self._service = service
        self._album = Album(options.folder, life=options.life, max_bytes=options.max_bytes)

    def keep(self, data: bytes, *, suffix: str, kind: str, detections: Sequence[Detection]) -> None:
        """Keep a picture as `<uuid><suffix>` and its copy as `<uuid>-<kind>.jpg`; blocks while it draws.

        What goes wrong is logged: whoever sent the picture has its answer by now.

        Args:
            detections: drawn on the copy; persons stay as they are, for the picture beside it has them too.
        """
        try:
            self._album.add({suffix: data, **self._drawn(data, kind, detections)})
        except OkapiaError as error:
            _log.warning("picture_not_kept", code=error.code, reason=str(error))

    def sweep(self) -> None:
        """Remove what is kept no longer; raises `StorageUnavailable`."""
        self._album.sweep()

    def _drawn(self, data: bytes, kind: str, detections: Sequence[Detection]) -> dict[str, bytes]:
        """Give the copy by what its name ends in; nothing where memory has no room for it."""
        try:
            return {f"-{kind}.jpg": self._service.draw(data, tuple(detections), people=People.SHOW)}
        except OkapiaError as error:
            _log.warning("copy_not_drawn", code=error.code, reason=str(error))
            return {}
