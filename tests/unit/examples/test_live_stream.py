"""examples/stream.py on sources that do not wait: they run on, break off, and are ended by Ctrl-C."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.unit.examples.gateway import Gateway, Reply, serving
from tests.unit.examples.program import clip, command, frames_of, streaming


def grey(index: int) -> bytes:
    """A picture of a stream: as bright as its place among the first 50, five steps each."""
    pixels = np.full((120, 160, 3), 5 * (index % 50), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@contextmanager
def camera(*, fps: float, break_after: int) -> Iterator[tuple[str, list[int]]]:
    """A camera that streams JPEGs by HTTP and breaks off now and then.

    Gives its URL, and a list of how many pictures each connection got so far.
    """
    sent: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            sent.append(0)
            connection = len(sent) - 1
            for index in range(break_after):
                jpeg = grey(index)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                except OSError:
                    return
                sent[connection] += 1
                time.sleep(1 / fps)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield f"{url}/video.mjpg", sent


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends_at, "waited for too long"
        time.sleep(0.01)


@pytest.fixture
def _ears() -> Iterator[None]:
    """Ctrl-C is heard by the programs of a test, even where the tests run in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ears")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_the_film_finished(
    stop: signal.Signals, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.replies = (Reply(wait_s=0.2),)
    path = clip(tmp_path / "clip.avi", frames=200)

    with streaming(path, "--every", "1", url=gateway.url, folder=tmp_path) as process:
        wait_until(lambda: len(gateway.calls) > 3)
        process.send_signal(stop)
        _, complaints = process.communicate(timeout=30)

    assert (process.returncode, complaints) == (0, "writing clip-boxes.mp4\nended\n")
    assert 3 <= len(frames_of(tmp_path / "clip-boxes.mp4")) < 100


def test_a_slow_server_is_asked_about_the_newest_frame_of_a_live_source(
    gateway: Gateway, tmp_path: Path
) -> None:
    gateway.replies = (Reply(wait_s=0.25),)

    with (
        camera(fps=40, break_after=10_000) as (source, sent),
        streaming(source, "--json", url=gateway.url, folder=tmp_path) as process,
    ):
        wait_until(lambda: len(gateway.calls) > 14)
        n_sent = sent[-1]
        process.terminate()
        out, _ = process.communicate(timeout=30)

    last = [json.loads(line)["frame"] for line in out.splitlines()][-1]
    assert n_sent > 120
    assert n_sent - last < 50, "it keeps up"
    written = len(frames_of(tmp_path / "video-boxes.mp4"))
    assert last < written, "the frames that were left out are filled up"


def test_a_broken_stream_is_opened_again(gateway: Gateway, tmp_path: Path) -> None:
    with (
        camera(fps=20, break_after=30) as (source, sent),
        streaming(source, "--json", url=gateway.url, folder=tmp_path) as process,
    ):
        wait_until(lambda: len(sent) > 2 and sent[2] > 10)
        process.terminate()
        out, complaints = process.communicate(timeout=30)

    frames = [json.loads(line)["frame"] for line in out.splitlines()]
    assert process.returncode == 0
    assert "video.mjpg broke off; opening it again in 0.5 s" in complaints
    assert frames == sorted(set(frames))
    assert frames[-1] > 30, "it counts on"
    assert len(frames_of(tmp_path / "video-boxes.mp4")) > frames[-1]


def test_a_live_source_goes_on_while_the_server_is_busy(gateway: Gateway, tmp_path: Path) -> None:
    gateway.replies = (Reply(), Reply(503, {"message": "busy"}, {"Retry-After": "1"}), Reply())

    with (
        camera(fps=20, break_after=10_000) as (source, _),
        streaming(source, "--json", "--every", "1", url=gateway.url, folder=tmp_path) as process,
    ):
        wait_until(lambda: len(gateway.calls) > 5)
        process.terminate()
        out, complaints = process.communicate(timeout=30)

    frames = [json.loads(line)["frame"] for line in out.splitlines()]
    assert "the server said 503" in complaints
    assert frames[1] - frames[0] > 10, "the frames of that second were left out"
    assert gateway.calls[2].moment - gateway.calls[1].moment >= 1


def test_no_password_of_a_camera_is_printed(gateway: Gateway, tmp_path: Path) -> None:
    source = "http://ada:hunter2@127.0.0.1:9/video.mjpg?pwd=hunter3"

    run = subprocess.run(
        command(source, url=gateway.url), capture_output=True, text=True, cwd=tmp_path, check=False
    )

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "stream: cannot open http://127.0.0.1:9/video.mjpg"
