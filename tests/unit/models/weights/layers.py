"""Neural layers in plain numpy: the references that converted networks are compared with."""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from okapia.models.weights.convert.checkpoint import StateDict

Floats = NDArray[np.float64]
Padding = Callable[[int, int, int], tuple[int, int]]
"""(length, kernel, stride) to the padding before and after."""


def centred(_length: int, kernel: int, _stride: int) -> tuple[int, int]:
    """PyTorch's usual padding."""
    return ((kernel - 1) // 2, (kernel - 1) // 2)


def same(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding: the odd pixel goes behind."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return (total // 2, total - total // 2)


def windows(x: Floats, kernel: int, stride: int, *, padding: Padding, filler: float) -> Floats:
    """Cut (N, C, H, W) into (N, C, H', W', kernel, kernel)."""
    rows, columns = (padding(side, kernel, stride) for side in x.shape[2:])
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), constant_values=filler)
    return sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def convolve(x: Floats, weight: Floats, *, stride: int = 1, groups: int = 1, padding: Padding) -> Floats:
    """Cross-correlate (N, C, H, W) with (out, C / groups, k, k)."""
    cut = windows(x, weight.shape[2], stride, padding=padding, filler=0.0)
    pairs = zip(np.split(cut, groups, axis=1), np.split(weight, groups), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", part, own) for part, own in pairs], axis=1)


def sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # the form that does not overflow


class Weights:
    """Random tensors, drawn when a reference network first asks for them."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._tensors: dict[str, NDArray[np.float32]] = {}

    def tensor(self, name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> Floats:
        if name not in self._tensors:
            self._tensors[name] = self._random.uniform(low, high, shape).astype(np.float32)
        return self._tensors[name].astype(np.float64)

    def kernel(self, name: str, n_out: int, n_in: int, size: int) -> Floats:
        """A convolution's weight, scaled so that signals neither grow nor fade on their way."""
        bound = (3 / (n_in * size * size)) ** 0.5
        return self.tensor(name, n_out, n_in, size, size, low=-bound, high=bound)

    def normalised(self, x: Floats, name: str, *, epsilon: float) -> Floats:
        """Batch normalisation of (N, C, H, W)."""
        n = x.shape[1]
        gain, variance = (self.tensor(f"{name}.{p}", n, low=0.5, high=1.5) for p in ("weight", "running_var"))
        bias, mean = (self.tensor(f"{name}.{p}", n) for p in ("bias", "running_mean"))
        gain, variance, bias, mean = (v[:, None, None] for v in (gain, variance, bias, mean))
        return (x - mean) / np.sqrt(variance + epsilon) * gain + bias

    @property
    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return dict(self._tensors)

    def state_dict(self) -> StateDict:
        return StateDict(self._tensors)
