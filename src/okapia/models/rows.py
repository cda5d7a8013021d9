"""Rows in, rows out, whatever a network declares: types, fixed batches and batches of any size.

Every engine's session is a `RowSession` around one function that makes a single call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from okapia.domain.errors import ModelError
from okapia.models.base import Tensor

Shape = tuple[int | None, ...]
"""Of an input, rows first; None is an open side."""

Outputs = dict[str, Tensor]
Values = NDArray[np.generic]
Call = Callable[[Values], Sequence[Values]]
"""One call of the engine: the input in the network's own type, the outputs in the declared order."""

_INPUT_TYPES: Final = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "u8": np.uint8}
_OUTPUT_TYPES: Final = {*_INPUT_TYPES, "i8", "i16", "u16", "i32", "u32", "i64", "u64", "boolean"}
_NAMELESS: Final = ("", "?", "-1", "None")
"""What exporters write for an open side that they know nothing of."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the file declares it.

    Attributes:
        type: `f32`, `f16`, `u8`, `i64` … as OpenVINO writes them.
        sides: a length, the name of an open side, or None for one without a name; None when not even the
            number of axes is declared.
    """

    name: str
    type: str
    sides: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        """Write it for messages: `images f32 (N, 3, any, any)`."""
        if self.sides is None:
            return f"{self.name} {self.type} of any shape"
        return f"{self.name} {self.type} {_listed(self.sides)}"

    @property
    def first(self) -> int | str | None:
        """Length or name of the first axis; None when it has neither, or a name that others share."""
        side = self.sides[0] if self.sides else None
        is_open = (isinstance(side, int) and side < 1) or side in _NAMELESS
        return None if is_open or (isinstance(side, str) and self.sides and side in self.sides[1:]) else side


@dataclass(frozen=True, slots=True)
class Signature:
    """What a network takes and gives, checked against the rows that it is to be run on.

    Attributes:
        shape: of the input of one call; the first axis is None where a call may have any number of rows.
    """

    network: Path
    input: Port
    outputs: tuple[Port, ...]
    shape: Shape

    @property
    def rows(self) -> int | None:
        """Rows that one call takes, exactly; None for any number."""
        return self.shape[0]


def sign(network: Path, inputs: Sequence[Port], outputs: Sequence[Port], *, row: Shape) -> Signature:
    """Read what a network declares.

    A batch is used as such only where the input and every output open with an axis of the same name. A fixed
    batch stays. Everything else is run row by row.

    Raises:
        ModelError: it has not one input, one of a type or shape other than `row`, or an output that holds no
            numbers.
    """
    if len(inputs) != 1:
        found = "; ".join(map(str, inputs)) or "none"
        raise ModelError(f"{network}: expected a network of one input, the picture; it has {found}")
    (entry,) = inputs
    if entry.type not in _INPUT_TYPES:
        expected = ", ".join(_INPUT_TYPES)
        raise ModelError(f"{network}: its input is {entry}, expected a type of {expected}")
    _check_sides(network, entry, row)
    if (wordy := [port for port in outputs if port.type not in _OUTPUT_TYPES]) or not outputs:
        found = "; ".join(map(str, wordy)) or "none"
        raise ModelError(f"{network}: expected outputs that are tensors of numbers; it has {found}")
    return Signature(network, entry, tuple(outputs), (_rows(entry, outputs), *row[1:]))


def _check_sides(network: Path, entry: Port, row: Shape) -> None:
    """Compare the declared axes behind the rows with those of `row`; open ones fit everything."""
    if entry.sides is None:
        return
    fixed = [side if isinstance(side, int) and side > 0 else None for side in entry.sides]
    if len(fixed) != len(row) or any(
        side is not None and side != wanted for side, wanted in zip(fixed[1:], row[1:], strict=True)
    ):
        raise ModelError(f"{network}: its input is {entry}, expected rows of {_listed(row)}")


def _rows(entry: Port, outputs: Sequence[Port]) -> int | None:
    """Rows that one call takes; None for any number."""
    if isinstance(entry.first, int):
        return entry.first
    is_batch = isinstance(entry.first, str) and all(port.first == entry.first for port in outputs)
    return None if is_batch else 1


class RowSession:
    """A network that takes any number of float32 rows, however it was exported.

    Rows are cast to what the network takes (for `u8` rounded and clipped to 0..255) and outputs to float32.
    A fixed batch is filled up with zeros, and the surplus rows of the answer are cut off.

    The answer to a single row is given as the network gives it: it may lack the axis of the rows, as `[N, 6]`
    of networks with NMS inside does. Such a network refuses several rows.
    """

    def __init__(self, signature: Signature, call: Call, *, engine: str, device: str, precision: str) -> None:
        self._signature = signature
        self._call = call
        self._name = str(signature.network)
        self.input_shape = signature.shape
        self.engine = engine
        self.device = device
        self.precision = precision

    @property
    def rows(self) -> int | None:
        """Rows that the network takes in one go, exactly; None for any number."""
        return self._signature.rows

    def run(self, batch: Tensor) -> Outputs:
        self._check(batch)
        typed = _cast(batch, self._signature.input.type)
        step = self.rows or len(typed)
        pieces = [typed[start : start + step] for start in range(0, len(typed), step)]
        parts = [(len(piece), self._run_piece(piece)) for piece in pieces]
        return join(parts, of=self._name)

    def _check(self, batch: Tensor) -> None:
        """Engines say this in other words, or not at all."""
        wanted = self.input_shape[1:]
        is_fit = batch.ndim == len(wanted) + 1 and all(
            side is None or side == given for side, given in zip(wanted, batch.shape[1:], strict=True)
        )
        if not is_fit or not len(batch):
            raise ModelError(
                f"{self._name} takes rows of {_listed((1, *wanted))}, got {_listed(batch.shape)}"
            )

    def _run_piece(self, piece: Values) -> Outputs:
        """Make one call with at most as many rows as it takes."""
        count, missing = len(piece), (self.rows or len(piece)) - len(piece)
        if missing:
            piece = np.concatenate([piece, np.zeros((missing, *piece.shape[1:]), dtype=piece.dtype)])
        named = zip(self._signature.outputs, self._call(piece), strict=True)
        outputs = {port.name: np.asarray(value, dtype=np.float32) for port, value in named}
        if len(piece) == 1:
            return outputs
        _check_rows(outputs, len(piece), of=self._name)
        return {name: value[:count] for name, value in outputs.items()}


def join(parts: Sequence[tuple[int, Outputs]], *, of: str) -> Outputs:
    """Put the answers to consecutive rows together; a single answer is given as it is.

    Args:
        parts: at least one; each with its number of rows.
        of: the network, for messages.

    Raises:
        ModelError: an answer does not have one row for each of its input.
    """
    if len(parts) == 1:
        return parts[0][1]
    for count, outputs in parts:
        _check_rows(outputs, count, of=of)
    first = parts[0][1]
    for name, value in first.items():
        if any(outputs[name].shape[1:] != value.shape[1:] for _, outputs in parts):
            raise ModelError(f"{of}: output {name} differs in shape from row to row; run them one by one")
    return {name: np.concatenate([outputs[name] for _, outputs in parts]) for name in first}


def _check_rows(outputs: Outputs, count: int, *, of: str) -> None:
    for name, value in outputs.items():
        if value.ndim == 0 or len(value) != count:
            raise ModelError(
                f"{of}: output {name} {_listed(value.shape)} has no axis for the {count} rows that were run; "
                "run them one by one"
            )


def _cast(batch: Tensor, kind: str) -> Values:
    if kind == "u8":
        return np.rint(batch).clip(0, 255).astype(np.uint8)
    return batch.astype(_INPUT_TYPES[kind], copy=False)


def _listed(sides: Sequence[int | str | None]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in sides)})"
