"""A new user with a network, and one with a strange file: from nothing to answers, by the real commands.

The zoo is a server of this machine that serves archives made on the spot: networks of the true shapes that
find what is bright and tell colours, since nobody's weights can be fetched by a test.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import networks
from tests.acceptance.okapia_process import okapia, server
from tests.unit.models.weights.zoo import folders
from tests.unit.models.weights.zoo.record_server import Host, serving


@dataclass(frozen=True)
class Newcomer:
    """Somebody with an empty home, one folder of pictures and a zoo within reach."""

    home: Path
    pictures: Path
    zoo: Host

    @property
    def settings(self) -> dict[str, str]:
        return {
            "OKAPIA_HOME": str(self.home),
            "OKAPIA_ZOO_URL": self.zoo.url,
            "NO_PROXY": "127.0.0.1",
        }

    def okapia(self, *arguments: str | Path) -> str:
        """Run a command that has to succeed; gives what it printed."""
        run = okapia(*arguments, cwd=self.home.parent, settings=self.settings)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def refused(self, *arguments: str | Path) -> str:
        """Run a command that has to fail without a traceback; gives its complaint."""
        run = okapia(*arguments, cwd=self.home.parent, settings=self.settings)
        assert run.returncode == 2, run.stdout
        assert "Traceback" not in run.stderr
        return run.stderr


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    home, pictures = tmp_path / "home", tmp_path / "pictures"
    home.mkdir()
    pictures.mkdir()
    pixels = np.zeros((480, 640, 3), dtype=np.uint8)
    pixels[120:240, 160:480] = (255, 200, 200)
    Image.fromarray(pixels).save(pictures / "bright.png")
    Image.fromarray(pixels * 0).save(pictures / "dark.png")
    files = {
        folders.zip_name(folders.DETECTOR): folders.zipped(folders.DETECTOR, folders.detector()),
        folders.zip_name(folders.CLASSIFIER, "classifier"): folders.zipped(
            folders.CLASSIFIER, folders.classifier()
        ),
        folders.zip_name(folders.COPYLEFT): folders.zipped(
            folders.COPYLEFT, folders.detector(folders.COPYLEFT)
        ),
    }
    with serving(Host(files=files)) as zoo:
        yield Newcomer(home, pictures, zoo)


def test_the_field_profile_is_pulled_run_and_served(newcomer: Newcomer) -> None:
    pulled = newcomer.okapia("models", "pull", "field")
    summary = json.loads(newcomer.okapia("run", "pictures", "--profile", "field", "--json"))
    results = json.loads((newcomer.pictures / "okapia_results.json").read_text())
    chosen = {"OKAPIA_DETECTOR": "MDV6-mit-yolov9-c", "OKAPIA_CLASSIFIER": "SpeciesNet-Crop"}
    with server(settings=newcomer.settings | chosen) as (url, lines, _):
        sent = {"image": (newcomer.pictures / "bright.png").read_bytes()}
        answer = httpx.post(f"{url}/v1/detect", files=sent, timeout=30).json()
        rows = httpx.get(f"{url}/v1/models", timeout=30).json()["models"]

    assert "MDV6-mit-yolov9-c" in pulled
    assert "MIT" in pulled
    assert summary["found"] == {"animal": 2}, "where nothing is bright it takes the whole picture"
    assert summary["note"] is None
    bright = next(image for image in results["images"] if image["file"] == "bright.png")
    assert bright["detections"][0]["bbox"] == pytest.approx([0.25, 0.25, 0.5, 0.25], abs=2e-3)
    assert "MDV6-mit-yolov9-c, SpeciesNet-Crop" in lines[1]
    assert answer["annotations"][0]["bbox"] == pytest.approx([0.25, 0.25, 0.5, 0.25], abs=2e-3)
    loaded = {row["id"] for row in rows if row["loaded"]}
    assert loaded == {"MDV6-mit-yolov9-c", "SpeciesNet-Crop"}


def test_a_copyleft_model_is_pulled_once_its_licence_is_accepted(newcomer: Newcomer) -> None:
    complaint = newcomer.refused("models", "pull", "zoo:MDV5a")
    nothing = newcomer.refused("run", "pictures", "--detector", "MDV5a", "--no-classify")
    newcomer.okapia("models", "pull", "zoo:MDV5a", "--accept-licence")
    shown = newcomer.okapia("models", "show", "MDV5a")

    assert "licence_not_accepted" in complaint
    assert "--accept-licence" in complaint
    assert "okapia models pull zoo:MDV5a" in nothing
    assert "AGPL-3.0" in shown


def test_a_strange_network_serves_after_three_commands(newcomer: Newcomer) -> None:
    file = newcomer.home.parent / "my-deer.onnx"
    layout = networks.yolo_layout(2, winner=1)
    file.write_bytes(networks.bright_box(layout, [1, 6, 1], shape=[1, 3, 320, 320]))
    labels = newcomer.home.parent / "classes.txt"
    labels.write_text("person\nred deer\n")

    unsure = newcomer.refused("models", "add", file, "--labels", labels)
    card = newcomer.home.parent / "card.toml"
    card.write_text('family = "yolo"\n')
    added = newcomer.okapia(
        "models", "add", file, "--labels", labels, "--card", card, "--licence", "mine", "--yes"
    )
    checked = newcomer.okapia("models", "check", "my-deer", "--on", newcomer.pictures)
    summary = json.loads(
        newcomer.okapia("run", "pictures", "--detector", "my-deer", "--no-classify", "--json")
    )

    assert "nobody to ask" in unsure
    assert "okapia models check my-deer" in added
    assert "red deer" in checked
    assert summary["found"]["animal"] == 2
    assert summary["images"] == 2, "the drawn copies are no pictures of the survey"


def test_what_is_wrong_with_a_file_is_said_and_nothing_is_installed(newcomer: Newcomer) -> None:
    text = newcomer.home.parent / "weights.onnx"
    text.write_text("not a network")

    complaint = newcomer.refused("models", "add", text, "--yes")

    assert "weights.onnx" in complaint
    assert "weights" not in newcomer.okapia("models", "list")


def test_a_model_of_ones_own_is_verified_with_a_report_to_send_back(
    newcomer: Newcomer, samples: Path
) -> None:
    newcomer.okapia("models", "pull", "MDV6-mit-yolov9-c")
    (newcomer.home / "samples").symlink_to(samples)

    report = json.loads(newcomer.okapia("models", "verify", "MDV6-mit-yolov9-c", "--report"))

    assert report["card"]["id"] == "MDV6-mit-yolov9-c"
    assert [picture["file"] for picture in report["pictures"]] == ["cat.png", "person.png", "vehicle.png"]
    assert str(newcomer.home) not in json.dumps(report)
