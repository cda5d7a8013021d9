"""The converted EfficientNet-Lite0 equals a numpy network written after the original's source."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert import efficientnet_lite
from okapia.models.weights.convert.checkpoint import StateDict
from tests.unit.models.weights.checkpoint_files import legacy_checkpoint
from tests.unit.models.weights.layers import Floats, Weights, convolve, same

N_CLASSES = 5
BLOCKS = (
    # kernel, stride, expansion, channels: EfficientNet-B0's stages, written out, an eighth as wide
    (3, 1, 1, 2),
    (3, 2, 6, 3),
    (3, 1, 6, 3),
    (5, 2, 6, 5),
    (5, 1, 6, 5),
    *((3, 2, 6, 10), (3, 1, 6, 10), (3, 1, 6, 10)),
    *((5, 1, 6, 14), (5, 1, 6, 14), (5, 1, 6, 14)),
    *((5, 2, 6, 24), (5, 1, 6, 24), (5, 1, 6, 24), (5, 1, 6, 24)),
    (3, 1, 6, 40),
)


@dataclass(frozen=True)
class Reference:
    """EfficientNet-Lite0 forward with few channels."""

    weights: Weights

    def run(self, images: Floats) -> Floats:
        x = relu6(self.conv((images - 127) / 128, "_conv_stem", "_bn0", 4, 3, stride=2))
        for number, block in enumerate(BLOCKS):
            x = self.block(x, f"_blocks.{number}", block)
        x = relu6(self.conv(x, "_conv_head", "_bn1", 32, 1))
        weight = self.weights.tensor("_fc.weight", N_CLASSES, 32)
        logits = x.mean(axis=(2, 3)) @ weight.T + self.weights.tensor("_fc.bias", N_CLASSES)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        total: Floats = exponents / exponents.sum(axis=1, keepdims=True)
        return total

    def block(self, x: Floats, name: str, block: tuple[int, int, int, int]) -> Floats:
        kernel, stride, expansion, n_out = block
        n_inner = expansion * x.shape[1]
        inner = x
        if expansion != 1:
            inner = relu6(self.conv(x, f"{name}._expand_conv", f"{name}._bn0", n_inner, 1))
        inner = self.conv(
            inner, f"{name}._depthwise_conv", f"{name}._bn1", n_inner, kernel, stride=stride, groups=n_inner
        )
        inner = self.conv(relu6(inner), f"{name}._project_conv", f"{name}._bn2", n_out, 1)
        return inner + x if stride == 1 and x.shape[1] == n_out else inner

    def conv(
        self, x: Floats, name: str, norm: str, n_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> Floats:
        weight = self.weights.kernel(f"{name}.weight", n_out, x.shape[1] // groups, kernel)
        x = convolve(x, weight, stride=stride, groups=groups, padding=same)
        return self.weights.normalised(x, norm, epsilon=1e-3)


def relu6(x: Floats) -> Floats:
    return np.clip(x, 0, 6)


def pictures(n: int) -> Floats:
    return np.random.default_rng(5).uniform(0, 255, (n, 3, 224, 224))


@pytest.fixture(scope="module")
def weights() -> Weights:
    weights = Weights(seed=6)
    Reference(weights).run(pictures(1))
    return weights


def test_the_network_answers_as_the_reference(weights: Weights) -> None:
    images = pictures(2)
    expected = Reference(weights).run(images)

    session = onnxruntime.InferenceSession(efficientnet_lite.build(weights.state_dict()).SerializeToString())
    (actual,) = session.run(["probs"], {"images": images.astype(np.float32)})

    assert np.ptp(expected) > 0.01, "the reference tells its classes apart"
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_the_stream_format_of_its_checkpoint_is_read(weights: Weights) -> None:
    model = efficientnet_lite.convert({"lite0.pth": legacy_checkpoint(weights.tensors)})

    assert [entry.name for entry in model.graph.input] == ["images"]
    assert [entry.name for entry in model.graph.output] == ["probs"]


def test_a_larger_efficientnet_is_refused(weights: Weights) -> None:
    tensors = weights.tensors | {"_blocks.16._bn1.weight": np.ones(1, np.float32)}

    with pytest.raises(ModelDamaged, match="expected 16 blocks"):
        efficientnet_lite.build(StateDict(tensors))
