"""A pickled PyTorch classifier to ONNX, on the machine and at the risk of whoever asks for it.

The only file that knows torch. SpeciesNet's classifiers are whole `torch.fx.GraphModule`s that onnx2torch
made: unpickling them runs code, and needs onnx2torch's classes.
"""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from okapia.domain.errors import ClientMissing, ModelError

_NEEDED = ("torch", "onnx2torch")
_SIDE = 480
_OPSET = 17


def converter(say: Callable[[str], None]) -> Callable[[Path, Path], None]:
    """Give what converts a classifier; warns through `say` before it runs the file's code.

    Raises:
        ClientMissing: torch or onnx2torch is not installed.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ClientMissing(
            f"a PyTorch classifier is converted with torch and onnx2torch; {' and '.join(missing)} cannot be "
            "imported here: `pip install okapia[torch]` installs both"
        )

    def convert(checkpoint: Path, target: Path) -> None:
        say(f"warning: reading {checkpoint.name} runs the code that is in it")
        _convert(checkpoint, target)

    return convert


def _convert(checkpoint: Path, target: Path) -> None:
    """Export `images` (N, 480, 480, 3) float32 0..1 to `logits` (N, classes).

    Raises:
        ModelError: the file cannot be read or exported.
    """
    torch = importlib.import_module("torch")
    try:
        model = torch.load(checkpoint, map_location="cpu", weights_only=False).eval()
        picture = torch.zeros(1, _SIDE, _SIDE, 3)
        torch.onnx.export(
            model,
            (picture,),
            str(target),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "N"}, "logits": {0: "N"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    except Exception as error:  # whatever the code in the file raises
        raise ModelError(f"{checkpoint.name} cannot be converted: {error}") from error
