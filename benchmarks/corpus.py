"""Twelve-megapixel camera-trap JPEG files to measure with: made here, never stored.

4000 x 3000, 4:2:0, quality 90, 2.0 to 2.4 MB, as trail cameras write them. The content is either
made up (octaves of smooth noise, whose spectrum falls with frequency as a landscape's does) or
real pictures enlarged. Both get the correlated noise of a sensor, as strong as the file size asks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from okapia.vision.decode import Picture
from okapia.vision.resample import Pixels

WIDTH, HEIGHT = 4000, 3000
BYTES = range(2_000_000, 2_400_000)
_QUALITY = 90
_STEPS = 12


@contextmanager
def make_corpus(count: int, *, pictures: Path | None = None) -> Iterator[list[Path]]:
    """Write `count` files into a temporary folder, which goes when the block ends.

    Args:
        pictures: folder of JPEG files to enlarge, taken in turns; made-up content when None.

    Raises:
        ValueError: the folder holds no JPEG file, or noise cannot bring a picture to the file size.
    """
    sources = sorted(pictures.glob("*.jpg")) if pictures else []
    if pictures and not sources:
        raise ValueError(f"expected JPEG files in {pictures}, found none")
    with TemporaryDirectory(prefix="okapia-corpus-") as folder:
        files = []
        for number in range(count):
            content = _enlarged(sources[number % len(sources)]) if sources else _landscape(number)
            files.append(Path(folder) / f"picture-{number:04}.jpg")
            files[-1].write_bytes(_noisy_jpeg(content, seed=number))
        yield files


def _landscape(seed: int) -> Pixels:
    """Octaves of smooth noise, each twice as fine and half as strong; colours vary slowly."""
    rng = np.random.default_rng(seed)
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    for octave in range(2, 9):
        cells = rng.standard_normal((3 * 2**octave // 4, 2**octave)).astype(np.float32)
        light += cv2.resize(cells, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) * (120 / 2**octave)
    tint = cv2.resize(rng.uniform(-30, 30, (6, 8, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(110 + light[..., None] + tint, 0, 255), dtype=np.uint8)


def _enlarged(path: Path) -> Pixels:
    """The middle of a picture in 4 : 3, enlarged."""
    pixels = Picture.open(path.read_bytes()).pixels((WIDTH, HEIGHT))
    height, width = pixels.shape[:2]
    keep_w, keep_h = min(width, height * WIDTH // HEIGHT), min(height, width * HEIGHT // WIDTH)
    left, top = (width - keep_w) // 2, (height - keep_h) // 2
    middle = pixels[top : top + keep_h, left : left + keep_w]
    return np.asarray(cv2.resize(middle, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _noisy_jpeg(content: Pixels, *, seed: int) -> bytes:
    """Encode with as much sensor noise as brings the file to `BYTES`, found by halving."""
    grains = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    # Demosaicing spreads a pixel's noise over its neighbours.
    noise = np.asarray(cv2.GaussianBlur(grains, (0, 0), 0.7), dtype=np.float32)
    content = _softened(content)
    low, high = 0.0, 40.0
    for _ in range(_STEPS):
        strength = (low + high) / 2
        encoded = _encode(content, noise * np.float32(strength))
        if len(encoded) in BYTES:
            return encoded
        low, high = (strength, high) if len(encoded) < BYTES.start else (low, strength)
    raise ValueError(f"expected {BYTES.start:,} to {BYTES.stop:,} bytes, got {len(encoded):,} at best")


def _softened(content: Pixels) -> Pixels:
    """Blur, as a cheap lens does, until the file without noise is smaller than it has to become."""
    while len(_encode(content, np.zeros((HEIGHT, WIDTH), np.float32))) >= BYTES.start:
        content = np.asarray(cv2.GaussianBlur(content, (0, 0), 1.0), dtype=np.uint8)
    return content


def _encode(content: Pixels, noise: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    bgr = np.clip(content[..., ::-1] + noise[..., None], 0, 255).astype(np.uint8)
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    return cv2.imencode(".jpg", bgr, options)[1].tobytes()
