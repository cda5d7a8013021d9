"""Folders and archives in the zoo's layout, made by the tests."""

import hashlib
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from tests import networks

DETECTOR, CLASSIFIER = "MDV6-mit-yolov9-c", "SpeciesNet-Crop"
COPYLEFT = "MDV5a"
LABELS = b"animal\nperson\nvehicle\n"

BRIGHT_BOX = networks.bright_box(networks.yolo_e2e_layout(winner=0), (1, 6))
MEAN_COLOUR = networks.mean_colour(shape=("N", 3, 480, 480))

Files = Mapping[str, bytes]
"""Name in the model's folder to content."""

_MANIFEST = """
[model]
id = "{id}"
format = "onnx"
file = "model.onnx"
onnx_sha256 = "{sha256}"
onnx_size_bytes = {size}

[preprocessing]
{preprocessing}
layout = "nchw"

[inference]
strategy = "single"

[postprocessing]
{postprocessing}

[labels]
file = "labels.txt"
format = "one_per_line"
"""

LETTERBOX = 'method = "letterbox"\ninput_size = [640, 640]\nnormalization = "unit"\npad_value = 0.447'
RESIZE = 'method = "resize"\ninput_size = [480, 480]\nnormalization = "unit"'
YOLO = 'method = "yolo_e2e"\nconfidence_threshold = 0.1'
SOFTMAX = 'method = "softmax"'


def manifest(
    model_id: str,
    network: bytes,
    *,
    preprocessing: str = LETTERBOX,
    postprocessing: str = YOLO,
) -> str:
    return _MANIFEST.format(
        id=model_id,
        sha256=hashlib.sha256(network).hexdigest(),
        size=len(network),
        preprocessing=preprocessing,
        postprocessing=postprocessing,
    )


def detector(model_id: str = DETECTOR) -> dict[str, bytes]:
    """A detector that finds the bright rectangle."""
    text = manifest(model_id, BRIGHT_BOX)
    return {"manifest.toml": text.encode(), "model.onnx": BRIGHT_BOX, "labels.txt": LABELS}


def classifier(model_id: str = CLASSIFIER) -> dict[str, bytes]:
    """A classifier that answers with the mean colour."""
    text = manifest(model_id, MEAN_COLOUR, preprocessing=RESIZE, postprocessing=SOFTMAX)
    return {"manifest.toml": text.encode(), "model.onnx": MEAN_COLOUR, "labels.txt": b"red deer\n\nbadger\n"}


def pipeline(name: str, *, detector: str = DETECTOR, classifier: str = CLASSIFIER) -> dict[str, bytes]:
    steps = (("detector", detector), ("classifier", classifier))
    text = "".join(f'[[pipeline.steps]]\nrole = "{role}"\nmodel = "{model}"\n' for role, model in steps)
    return {"pipeline.toml": f'[pipeline]\nid = "{name}"\n{text}'.encode()}


def write_folder(parent: Path, name: str, files: Files) -> Path:
    folder = parent / name
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def zip_name(model_id: str, task: str = "detector") -> str:
    return f"camera_trap__{task}__{model_id}.zip"


def zipped(folder: str, files: Files) -> bytes:
    """Pack files into a ZIP with one top folder."""
    return zip_of({f"{folder}/{name}": content for name, content in files.items()})


def zip_of(entries: Files) -> bytes:
    """Pack a ZIP whose entries are called as said, whatever that is."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return buffer.getvalue()
