"""From a 12-megapixel JPEG file's bytes to a network's 640 x 640 canvas, on one thread.

The baseline is what MegaDetector, SpeciesNet and zamba do: Pillow decodes the whole picture and
shrinks it. Arms take turns on every file, so that a busy machine slows all of them alike; the
ratios are medians over the files of ratios within one turn.

    python benchmarks/decode.py [--files 10] [--rounds 3] [--pictures DIR]
"""

import argparse
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from corpus import make_corpus
from harness import Round, report, sample
from PIL import Image

from okapia.vision.decode import DecodePolicy, Picture, Scaling
from okapia.vision.geometry import fit, letterbox
from okapia.vision.resample import Pixels

CANVAS = (640, 640)
PAD = 114
EXACT = DecodePolicy(scaling=Scaling.EXACT)


def pillow(data: bytes, *, resample: Image.Resampling = Image.Resampling.BICUBIC) -> Pixels:
    """Decode in full, shrink with anti-aliasing, and paste into the canvas."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    small = image.resize(fit(image.size, CANVAS), resample)
    canvas = np.full((CANVAS[1], CANVAS[0], 3), PAD, dtype=np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    return canvas


def pillow_draft(data: bytes) -> Pixels:
    """The same with Pillow's own scaled decoding, which no camera-trap tool uses."""
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", fit(image.size, CANVAS))
    small = image.convert("RGB").resize(fit(image.size, CANVAS), Image.Resampling.BICUBIC)
    canvas = np.full((CANVAS[1], CANVAS[0], 3), PAD, dtype=np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    return canvas


def okapia(data: bytes, *, policy: DecodePolicy) -> Pixels:
    """What the pipeline runs."""
    picture = Picture.open(data, policy)
    return letterbox(picture.pixels(fit((picture.info.width, picture.info.height), CANVAS)), CANVAS).pixels


ARMS: dict[str, Callable[[bytes], Pixels]] = {
    "Pillow, full + bicubic": pillow,
    "Pillow, draft + bicubic": pillow_draft,
    "Okapia, exact": partial(okapia, policy=EXACT),
    "Okapia": partial(okapia, policy=DecodePolicy()),
    "Okapia, header only": lambda data: np.zeros(Picture.open(data).info.width, np.uint8),
}


def turn(data: bytes) -> Round:
    """Every arm once on one file."""
    return {name: sample(partial(arm, data), units=1) for name, arm in ARMS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="real pictures to make the 12 MP files from")
    options = parser.parse_args()
    with make_corpus(options.files, pictures=options.pictures) as files:
        pictures = [file.read_bytes() for file in files]
    turn(pictures[0])  # a first turn warms caches and is left out
    report(
        "decode",
        [turn(data) for _ in range(options.rounds) for data in pictures],
        baseline="Pillow, full + bicubic",
        unit="image",
    )


if __name__ == "__main__":
    main()
