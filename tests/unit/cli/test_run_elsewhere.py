"""`okapia run` on clips, and with a cluster in place of this process."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from okapia.domain.errors import InvalidRequest
from tests.unit.cli.run_home import answers, make_home, paint, paint_many, run, without_times


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def film(path: Path, *, frames: int) -> None:
    """Save a clip of a bright square on black, ten frames a second."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[16:48, 16:32] = 255
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 64))
    for _ in range(frames):
        writer.write(picture)
    writer.release()


def test_clips_are_looked_at_when_they_are_asked_for(tmp_path: Path) -> None:
    paint(tmp_path / "survey" / "a.png")
    film(tmp_path / "survey" / "b.avi", frames=25)

    pictures = run("survey")
    both = run("survey", "--video")
    often = run("survey", "--every", "0.5")

    clip = answers(tmp_path / "survey" / "okapia_results.json")["b.avi"]
    assert [pictures["images"], both["images"], often["images"]] == [1, 2, 2]
    assert clip["frames_processed"] == [0, 5, 10, 15, 20]


def test_a_cluster_gives_the_answers_that_this_process_gives(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray; pip install 'okapia[ray]'")
    paint_many(tmp_path / "survey", 6)
    (tmp_path / "survey" / "broken.png").write_bytes(b"no picture")
    run("survey", "-o", "here.json", exit_code=1)

    summary = run("survey", "-o", "there.json", "--cluster", "local", exit_code=1)

    assert (summary["images"], summary["failed"]) == (7, 1)
    assert without_times(tmp_path / "there.json") == without_times(tmp_path / "here.json")


def test_actors_draw_nothing(tmp_path: Path) -> None:
    paint(tmp_path / "survey" / "a.png")

    with pytest.raises(InvalidRequest, match="--render"):
        run("survey", "--cluster", "local", "--render", "drawn")
