"""Whether a network answers as its card says: three numbers of its answer to one fixed input."""

import math

import numpy as np

from okapia.domain.errors import ModelDamaged, ModelError
from okapia.models.base import Session, Tensor
from okapia.models.card import ModelCard

Values = tuple[float, float, float]


def probe(shape: tuple[int, ...]) -> Tensor:
    """Give the fixed input: gradients and a fine texture that differ along every axis.

    Args:
        shape: of any length; the last three axes are what matters.

    Returns:
        Float32 whole numbers 0..255, `(53 i + 5 j + 3 k + (j k mod 64)) mod 256` for the
        indices i, j, k of the last three axes. The formula is part of every card's
        fingerprint and must not change.
    """
    i, j, k = np.ogrid[tuple(slice(side) for side in shape[-3:])]
    picture = (53 * i + 5 * j + 3 * k + (j * k) % 64) % 256
    return np.ascontiguousarray(np.broadcast_to(picture, shape), dtype=np.float32)


def measure(session: Session) -> Values:
    """Give minimum, mean and maximum over all elements of all outputs for the probe, one row.

    Raises:
        ModelError: the session leaves an axis other than the first open, or fails.
    """
    _, *sides = session.input_shape
    known = [side for side in sides if side is not None]
    if len(known) != len(sides):
        raise ModelError(f"expected a session of a fixed canvas, got the input {session.input_shape}")
    outputs = session.run(probe((1, *known))).values()
    values = np.concatenate([output.ravel() for output in outputs]).astype(np.float64)
    return float(values.min()), float(values.mean()), float(values.max())


def check(card: ModelCard, session: Session) -> None:
    """Compare a network with its card's fingerprint; a card without one is let through.

    Raises:
        ModelDamaged: a value is further away than the tolerance, or not a number.
    """
    if card.fingerprint is None:
        return
    expected, tolerance = card.fingerprint.values, card.fingerprint.tolerance
    actual = measure(session)
    if not all(
        math.isclose(a, b, rel_tol=0, abs_tol=tolerance) for a, b in zip(actual, expected, strict=True)
    ):
        raise ModelDamaged(
            f"{card.id} answers {_listed(actual)} (minimum, mean, maximum) to the test input, "
            f"expected {_listed(expected)} within {tolerance:g}"
        )


def _listed(values: Values) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
