"""One network on several GPUs: each call goes to the least busy one, and a lost GPU leaves the rotation."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from okapia.domain.errors import DeviceLost
from okapia.models.base import Session, Tensor
from okapia.models.devices import Device

_log = structlog.get_logger(__name__)


class Fleet:
    """The GPUs of one runtime and which of them are lost: all networks share them.

    A lost GPU stays lost until the process ends, since its context cannot be mended.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lost: dict[Device, str] = {}
        self._lock = threading.Lock()

    @property
    def left(self) -> tuple[Device, ...]:
        """The GPUs that still work."""
        return tuple(device for device in self._device.each() if device not in self._lost)

    def has(self, device: Device) -> bool:
        return device not in self._lost

    def lose(self, device: Device, reason: str) -> None:
        """Take a GPU out of use; logged as `device_lost`, once."""
        with self._lock:
            if device in self._lost:
                return
            self._lost[device] = reason
        _log.error("device_lost", device=str(device), left=[str(each) for each in self.left], reason=reason)

    def all_lost(self) -> DeviceLost:
        """Make the error that every call raises when no GPU is left."""
        reason = next(iter(self._lost.values()), "none was there")
        return DeviceLost(f"no GPU of {self._device} is left, restart the server ({reason})")


@dataclass(slots=True)
class Lane:
    """One GPU's session of a network.

    Attributes:
        rows: rows that are being run there, or wait.
    """

    device: Device
    session: Session
    rows: int = 0


class RotatingSession:
    """A `Session` over one session a GPU."""

    def __init__(self, lanes: Sequence[Lane], *, fleet: Fleet) -> None:
        """Use at least one lane."""
        first = lanes[0].session
        self._lanes = lanes
        self._fleet = fleet
        self._lock = threading.Lock()
        self.input_shape = first.input_shape
        self.engine = first.engine
        self.device = str(
            Device(lanes[0].device.kind, tuple(index for lane in lanes for index in lane.device.indices))
        )
        self.precision = first.precision

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        """Run on the least busy GPU, and on another when that one is lost.

        Raises:
            DeviceLost: none is left.
        """
        while (lane := self._take(len(batch))) is not None:
            try:
                return lane.session.run(batch)
            except DeviceLost as error:
                self._fleet.lose(lane.device, str(error))
            finally:
                with self._lock:
                    lane.rows -= len(batch)
        raise self._fleet.all_lost()

    def _take(self, rows: int) -> Lane | None:
        """Count `rows` in at the least busy GPU that is left."""
        with self._lock:
            working = [lane for lane in self._lanes if self._fleet.has(lane.device)]
            lane = min(working, key=lambda lane: lane.rows, default=None)
            if lane is not None:
                lane.rows += rows
            return lane
