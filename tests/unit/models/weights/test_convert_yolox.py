"""The converted YOLOX equals a numpy network written after the original's source."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert import yolox
from okapia.models.weights.convert.checkpoint import StateDict
from tests.unit.models.weights.checkpoint_files import zip_checkpoint
from tests.unit.models.weights.layers import Floats, Weights, centred, convolve, sigmoid, windows

N_CLASSES = 2
WIDTH = 4


@dataclass(frozen=True)
class Reference:
    """YOLOX forward, decoding left out; `separable` as in YOLOX-nano."""

    weights: Weights
    separable: bool = False

    def run(self, images: Floats) -> Floats:
        return self.head(self.neck(*self.backbone(images)))

    def conv(
        self, x: Floats, name: str, n_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> Floats:
        weight = self.weights.kernel(f"{name}.conv.weight", n_out, x.shape[1] // groups, kernel)
        x = convolve(x, weight, stride=stride, groups=groups, padding=centred)
        x = self.weights.normalised(x, f"{name}.bn", epsilon=1e-3)
        return x * sigmoid(x)

    def block(self, x: Floats, name: str, n_out: int, *, stride: int = 1) -> Floats:
        if not self.separable:
            return self.conv(x, name, n_out, 3, stride=stride)
        n_in = x.shape[1]
        return self.conv(
            self.conv(x, f"{name}.dconv", n_in, 3, stride=stride, groups=n_in), f"{name}.pconv", n_out, 1
        )

    def csp(self, x: Floats, name: str, n_out: int, *, depth: int, residual: bool) -> Floats:
        half = n_out // 2
        inner, outer = self.conv(x, f"{name}.conv1", half, 1), self.conv(x, f"{name}.conv2", half, 1)
        for place in range(depth):
            through = self.conv(inner, f"{name}.m.{place}.conv1", half, 1)
            through = self.block(through, f"{name}.m.{place}.conv2", half)
            inner = through + inner if residual else through
        return self.conv(np.concatenate([inner, outer], axis=1), f"{name}.conv3", n_out, 1)

    def backbone(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        root = "backbone.backbone"
        cells = [x[:, :, top::2, left::2] for top, left in ((0, 0), (1, 0), (0, 1), (1, 1))]
        x = self.conv(np.concatenate(cells, axis=1), f"{root}.stem.conv", WIDTH, 3)
        levels = []
        for stage, depth, n_out in ((2, 1, 2 * WIDTH), (3, 3, 4 * WIDTH), (4, 3, 8 * WIDTH)):
            x = self.block(x, f"{root}.dark{stage}.0", n_out, stride=2)
            x = self.csp(x, f"{root}.dark{stage}.1", n_out, depth=depth, residual=True)
            levels.append(x)
        x = self.block(x, f"{root}.dark5.0", 16 * WIDTH, stride=2)
        x = self.conv(x, f"{root}.dark5.1.conv1", 8 * WIDTH, 1)
        pooled = [windows(x, k, 1, padding=centred, filler=-np.inf).max(axis=(4, 5)) for k in (5, 9, 13)]
        x = self.conv(np.concatenate([x, *pooled], axis=1), f"{root}.dark5.1.conv2", 16 * WIDTH, 1)
        return levels[1], levels[2], self.csp(x, f"{root}.dark5.2", 16 * WIDTH, depth=1, residual=False)

    def neck(self, fine: Floats, middle: Floats, coarse: Floats) -> list[Floats]:
        n_fine, n_middle, n_coarse = 4 * WIDTH, 8 * WIDTH, 16 * WIDTH
        lateral = self.conv(coarse, "backbone.lateral_conv0", n_middle, 1)
        x = self.merge(doubled(lateral), middle, "backbone.C3_p4", n_middle)
        reduced = self.conv(x, "backbone.reduce_conv1", n_fine, 1)
        fine = self.merge(doubled(reduced), fine, "backbone.C3_p3", n_fine)
        x = self.block(fine, "backbone.bu_conv2", n_fine, stride=2)
        middle = self.merge(x, reduced, "backbone.C3_n3", n_middle)
        x = self.block(middle, "backbone.bu_conv1", n_middle, stride=2)
        return [fine, middle, self.merge(x, lateral, "backbone.C3_n4", n_coarse)]

    def merge(self, x: Floats, skipped: Floats, name: str, n_out: int) -> Floats:
        return self.csp(np.concatenate([x, skipped], axis=1), name, n_out, depth=1, residual=False)

    def head(self, levels: list[Floats]) -> Floats:
        rows = []
        for level, x in enumerate(levels):
            x = self.conv(x, f"head.stems.{level}", WIDTH, 1)  # noqa: PLW2901 - reads as the original does
            classes = boxes = x
            for place in (0, 1):
                classes = self.block(classes, f"head.cls_convs.{level}.{place}", WIDTH)
                boxes = self.block(boxes, f"head.reg_convs.{level}.{place}", WIDTH)
            parts = [
                self.prediction(boxes, f"head.reg_preds.{level}", 4),
                sigmoid(self.prediction(boxes, f"head.obj_preds.{level}", 1)),
                sigmoid(self.prediction(classes, f"head.cls_preds.{level}", N_CLASSES)),
            ]
            rows.append(np.concatenate(parts, axis=1).reshape(len(x), 5 + N_CLASSES, -1))
        return np.concatenate(rows, axis=2).transpose(0, 2, 1)

    def prediction(self, x: Floats, name: str, n_out: int) -> Floats:
        weight = self.weights.kernel(f"{name}.weight", n_out, x.shape[1], 1)
        bias = self.weights.tensor(f"{name}.bias", n_out)
        return convolve(x, weight, padding=centred) + bias[:, None, None]


def doubled(x: Floats) -> Floats:
    return x.repeat(2, axis=2).repeat(2, axis=3)


def answer(network: bytes, images: Floats) -> Floats:
    session = onnxruntime.InferenceSession(network)
    (output,) = session.run(["output"], {"images": images.astype(np.float32)})
    rows: Floats = output.astype(np.float64)
    return rows


@pytest.mark.parametrize("separable", [False, True], ids=["yolox", "yolox-nano"])
def test_the_network_answers_as_the_reference(*, separable: bool) -> None:
    weights = Weights(seed=3)
    images = np.random.default_rng(4).uniform(0, 255, (2, 3, 64, 96))
    expected = Reference(weights, separable).run(images)

    actual = answer(yolox.build(weights.state_dict()).SerializeToString(), images)

    assert actual.shape == (2, 8 * 12 + 4 * 6 + 2 * 3, 5 + N_CLASSES)
    assert expected.std(axis=1).min() > 1e-3, "the reference tells its anchors apart"
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_one_file_serves_several_canvases() -> None:
    weights = Weights(seed=3)
    Reference(weights).run(np.zeros((1, 3, 32, 32)))
    network = yolox.build(weights.state_dict()).SerializeToString()

    anchors = [answer(network, np.zeros((1, 3, side, side))).shape[1] for side in (32, 64, 96)]

    assert anchors == [16 + 4 + 1, 64 + 16 + 4, 144 + 36 + 9]


def test_the_tensors_are_found_in_a_checkpoint_beside_the_optimiser() -> None:
    weights = Weights(seed=3)
    Reference(weights).run(np.zeros((1, 3, 32, 32)))
    checkpoint = zip_checkpoint({"start_epoch": 105, "model": weights.tensors, "optimizer": {}})

    model = yolox.convert({"yolox.pth": checkpoint})

    assert [entry.name for entry in model.graph.input] == ["images"]


def test_a_checkpoint_that_lacks_a_layer_is_damaged() -> None:
    weights = Weights(seed=3)
    Reference(weights).run(np.zeros((1, 3, 32, 32)))
    tensors = weights.tensors
    del tensors["backbone.lateral_conv0.bn.bias"]

    with pytest.raises(ModelDamaged, match=r"backbone\.lateral_conv0\.bn\.bias"):
        yolox.build(StateDict(tensors))
