"""Pictures per second of the pipeline against a one-by-one Pillow + ONNX Runtime loop.

Arms take turns within a round, on the same 12 MP files; ratios are medians of the ratios within
a round. CPU ms per image is the process's user and system time, which other programs on the
machine disturb least. Networks at 640 unless the arm says otherwise.

    python benchmarks/pipeline.py [--files 24] [--rounds 5] [--pictures DIR]
"""

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from corpus import make_corpus
from harness import report, sample
from PIL import Image

from okapia.app import build_service
from okapia.cli.logs import configure_logs
from okapia.domain.types import AnalysisOptions
from okapia.models.devices import installed_engines
from okapia.models.yolox import decode
from okapia.service import NamedImage, Service
from okapia.settings import load_settings

CANVAS = 640
OPTIONS = AnalysisOptions(threshold=0.2)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to analyse a list of files."""

    name: str
    run: Callable[[list[Path]], object]


def baseline() -> Arm:
    """Decode in full with Pillow, resize bicubic, infer, one picture after the other."""
    settings = load_settings()
    network = settings.models_dir / "megadetector-lite" / "network.onnx"
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])

    def run(files: list[Path]) -> None:
        for file in files:
            image = Image.open(io.BytesIO(file.read_bytes())).convert("RGB")
            ratio = min(CANVAS / image.width, CANVAS / image.height)
            size = (round(image.width * ratio), round(image.height * ratio))
            canvas = np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8)
            canvas[: size[1], : size[0]] = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
            tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32)
            (output,) = session.run(None, {"images": tensor})
            scores = output[0, :, 4] * output[0, :, 5]
            found = np.flatnonzero(scores >= OPTIONS.threshold)
            decode(output[0, found, :4], found, canvas=(CANVAS, CANVAS))

    return Arm("Pillow + ONNX Runtime loop", run)


def okapia(name: str, **overrides: object) -> Arm:
    """Analyse with a service of its own settings."""
    canvases = overrides.pop("canvases", {"megadetector-lite": CANVAS})
    service = build_service(load_settings(canvases=canvases, **overrides))
    service.check_ready()
    return Arm(name, partial(analyse, service))


def analyse(service: Service, files: list[Path]) -> None:
    images = (NamedImage(file.name, file.read_bytes) for file in files)
    for _ in service.analyze_many(images, OPTIONS):
        pass


def arms() -> list[Arm]:
    animal = {"detector": "megadetector-lite", "classifier": ""}
    both = {"detector": "megadetector-lite+nanodet-coco", "classifier": ""}
    chosen = [
        baseline(),
        okapia("animal detector, ONNX Runtime f32", engine="onnxruntime", precision="f32", **animal),
        okapia("both detectors", engine="onnxruntime", precision="f32", **both),
        okapia("both detectors and classifier", engine="onnxruntime", precision="f32"),
        okapia("the same with the default canvas 512", canvases={}, engine="onnxruntime", precision="f32"),
    ]
    if "openvino" in installed_engines():
        chosen += [
            okapia("animal detector, OpenVINO f32", engine="openvino", precision="f32", **animal),
            okapia("animal detector, OpenVINO bf16", engine="openvino", precision="bf16", **animal),
        ]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="real pictures to make the 12 MP files from")
    options = parser.parse_args()
    configure_logs("warning")
    with make_corpus(options.files, pictures=options.pictures) as files:
        chosen = arms()
        for arm in chosen:
            arm.run(files[:2])  # a first run warms caches and is left out
        samples = [
            {arm.name: sample(partial(arm.run, files), units=len(files)) for arm in chosen}
            for _ in range(options.rounds)
        ]
    report("pipeline", samples, baseline="Pillow + ONNX Runtime loop", unit="image")


if __name__ == "__main__":
    main()
