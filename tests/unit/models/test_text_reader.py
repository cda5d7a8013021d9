"""Text is read out of pictures by the real networks, quietly and without a network connection."""

import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rapidocr
from PIL import Image, ImageDraw, ImageFont

from okapia.domain.errors import ModelError, OcrNotInstalled
from okapia.models.text_reader import TextLine, TextReader
from okapia.vision.decode import Picture
from okapia.vision.resample import Pixels


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def strip(text: str, *, x: int = 20, height: int = 100) -> Pixels:
    """White text on a black strip of 1600 px, its top left corner at (x, 30)."""
    image = Image.new("RGB", (1600, height), "black")
    ImageDraw.Draw(image).text((x, 30), text, font=ImageFont.load_default(40), fill="white")
    return np.asarray(image)


def joined(lines: Sequence[TextLine]) -> str:
    """The text without the spaces, of which readers lose some."""
    ordered = sorted(lines, key=lambda line: line.bbox.x_min)
    return re.sub(r"\s", "", "".join(line.text for line in ordered))


def test_drawn_text_is_read(reader: TextReader) -> None:
    lines = reader.read(strip("2024-01-21 15:19:15 M 1/3"))

    assert joined(lines) == "2024-01-2115:19:15M1/3"
    assert all(0.7 <= line.score <= 1 for line in lines)


def test_a_box_lies_where_the_text_does(reader: TextReader) -> None:
    (line,) = reader.read(strip("RECONYX", x=800))

    assert line.bbox.x_min == pytest.approx(0.5, abs=0.02)
    assert line.bbox.x_max == pytest.approx(0.62, abs=0.03)
    assert 0.2 < line.bbox.y_min < line.bbox.y_max < 0.9


@pytest.mark.parametrize("shape", [(200, 1600, 3), (1, 1, 3), (32, 32, 3)])
def test_a_picture_without_text_gives_none(reader: TextReader, shape: tuple[int, ...]) -> None:
    assert reader.read(np.full(shape, 90, dtype=np.uint8)) == ()


def test_a_picture_that_the_networks_refuse_is_a_model_error(reader: TextReader) -> None:
    with pytest.raises(ModelError, match="5000 x 1"):
        reader.read(np.zeros((1, 5000, 3), dtype=np.uint8))

    assert joined(reader.read(strip("RECONYX"))) == "RECONYX"


def test_threads_read_what_one_would(reader: TextReader) -> None:
    pictures = [strip(f"2024-01-{day:02} 15:19:15", x=20 * day) for day in range(10, 22)]
    one_by_one = [reader.read(picture) for picture in pictures]

    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(reader.read, pictures))

    assert at_once == one_by_one


@pytest.mark.parametrize(
    ("name", "top", "printed"),
    [
        ("american_black_bear.jpg", 0.0, ["2010-11-06", "4:04:00", "M1/3", "34"]),
        ("ena24_5899.jpg", 0.0, ["2016-05-25", "8:22:38AM", "M2/5", "18"]),
        ("ena24_7951.jpg", 0.92, ["Bushnell", "Cam3", "06-30-2015", "16:13:26"]),
        ("african_elephants.jpg", 0.92, ["DLCcovert.com", "08-04-2010", "08:43:15"]),
        ("human.jpg", 0.92, ["2024/01/21", "15:19:15", "0007"]),
    ],
)
def test_a_real_strip_is_read(
    reader: TextReader, shared_data: Path, name: str, top: float, printed: list[str]
) -> None:
    picture = Picture.open((shared_data / "camera-traps" / name).read_bytes())
    pixels = picture.pixels((1600, 1))
    first = round(top * pixels.shape[0])

    text = joined(reader.read(pixels[first : first + round(0.08 * pixels.shape[0])]))

    assert [part for part in printed if part not in text] == []


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)

    with pytest.raises(OcrNotInstalled, match=r"pip install okapia\[ocr\]") as raised:
        TextReader().load()

    assert raised.value.code == "ocr_not_installed"


def test_a_reader_that_could_not_load_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = TextReader(streams=1)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "rapidocr", None)
        with pytest.raises(OcrNotInstalled):
            reader.load()

    assert joined(reader.read(strip("RECONYX"))) == "RECONYX"


def test_a_package_without_networks_is_refused_not_completed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rapidocr, "__file__", str(tmp_path / "__init__.py"))

    with pytest.raises(ModelError, match="found none"):
        TextReader().load()

    assert list(tmp_path.iterdir()) == []


ALONE = """
import logging, socket
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from okapia.models.text_reader import TextReader

def no_network(*_): raise AssertionError("a connection was tried")
socket.socket.connect = socket.getaddrinfo = no_network
root = logging.getLogger()
before = root.level, list(root.handlers), logging.raiseExceptions, logging.root.manager.disable
image = Image.new("RGB", (800, 80))
ImageDraw.Draw(image).text((20, 20), "RECONYX", font=ImageFont.load_default(40))
reader = TextReader()
found = reader.read(np.asarray(image))
nothing = reader.read(np.zeros((80, 800, 3), dtype=np.uint8))
assert ([line.text for line in found], nothing) == (["RECONYX"], ()), (found, nothing)
after = root.level, list(root.handlers), logging.raiseExceptions, logging.root.manager.disable
assert after == before, (before, after)
"""


def test_a_fresh_process_reads_without_a_network_and_without_a_word() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_reader_does_not_load_rapidocr() -> None:
    code = "import sys, okapia.models.text_reader as r; r.TextReader(); print('rapidocr' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "False\n"
