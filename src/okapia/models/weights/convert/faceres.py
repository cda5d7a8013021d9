"""The TensorFlow.js build of HSE-FaceRes to ONNX, its answer about gender only.

Input `images` (N, 224, 224, 3) float32 RGB 0..255. Output `man` (N, 1) after its sigmoid. The network also
answers with an age and with 1,024 numbers that know a face again; neither is converted.
"""

from collections.abc import Mapping

import onnx

from okapia.models.weights.convert.tfjs import Output, translate
from okapia.models.weights.convert.tfjs_file import read_members

_OUTPUT = Output("gender_pred/Sigmoid", "man", ("N", 1))


def convert(members: Mapping[str, bytes]) -> onnx.ModelProto:
    """Convert the `.json` file in `members` with the weights beside it.

    Raises:
        ModelDamaged: not this graph, or its weights are not as long as it says.
    """
    return translate(read_members(members), [_OUTPUT], name="faceres")
