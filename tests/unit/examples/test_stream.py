"""examples/stream.py, run as a command on small clips."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.examples.gateway import BOX, PASSWORD, Gateway, Reply
from tests.unit.examples.program import clip, frames_of, lines, stream

FACE = {"type": "face", "confidence": "98.10%", "box": [60, 60, 100, 90], "gender": "woman"}


# --- files --------------------------------------------------------------------------------


def test_every_fifth_frame_is_sent_and_every_frame_is_in_the_film(gateway: Gateway, tmp_path: Path) -> None:
    run = stream(clip(tmp_path / "clip.avi"), url=gateway.url)

    assert (run.returncode, run.stderr) == (0, "writing clip-boxes.mp4\nended\n")
    assert [call.path for call in gateway.calls] == ["/api/v1/detect/object"] * 3
    assert gateway.calls[0].query == {"type": "object", "delete": "true"}
    lefts = [int(np.flatnonzero(call.picture.max(axis=(0, 2)) > 128)[0]) for call in gateway.calls]
    assert lefts == pytest.approx([0, 20, 40], abs=1), "the frames 0, 5 and 10"
    film = frames_of(tmp_path / "clip-boxes.mp4")
    assert [frame.shape for frame in film] == [(120, 160, 3)] * 12


def test_boxes_and_captions_are_drawn_where_the_answer_says(gateway: Gateway, tmp_path: Path) -> None:
    stream(clip(tmp_path / "clip.avi", frames=2), "--output", "out.avi", url=gateway.url)

    first, second = (frame.astype(int) for frame in frames_of(tmp_path / "out.avi"))
    greenness = first[..., 1] - first[..., [0, 2]].max(axis=2)
    for y, x in ((60, 80), (90, 80), (75, 60), (75, 100)):
        assert greenness[y, x] > 60, "an edge of the box"
    assert (greenness[48:58, 61:63] > 60).all(), "the caption's ground, above the box"
    assert abs(greenness[64:86, 64:96]).max() < 40, "nothing within the box"
    assert abs(greenness[94:, :]).max() < 40, "nothing below it"
    assert abs(second[64:, :] - first[64:, :]).max() < 40, "the answer stands until the next one"


def test_wide_frames_are_shrunk_and_narrow_ones_are_not(gateway: Gateway, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi", frames=1, size=(640, 360))

    stream(path, "--width", "320", "--output", "out.mp4", url=gateway.url)
    stream(path, "--width", "1000", "--output", "other.mp4", url=gateway.url)

    assert [call.picture.shape for call in gateway.calls] == [(180, 320, 3), (360, 640, 3)]
    assert frames_of(tmp_path / "out.mp4")[0].shape == (180, 320, 3)


def test_machines_get_a_line_an_answer(gateway: Gateway, tmp_path: Path) -> None:
    gateway.replies = (Reply(), Reply(body=()))

    run = stream(clip(tmp_path / "clip.avi"), "--json", "--every", "6", url=gateway.url)

    assert lines(run) == [
        {"frame": 0, "time_s": 0.0, "boxes": [BOX]},
        {"frame": 6, "time_s": 0.6, "boxes": []},
    ]


def test_faces_are_asked_for_with_gender(gateway: Gateway, tmp_path: Path) -> None:
    gateway.replies = (Reply(body=[FACE | {"gender_confidence": "95.46%"}]),)

    run = stream(clip(tmp_path / "clip.avi"), "--type", "face", "--gender", url=gateway.url)

    assert run.returncode == 0
    assert gateway.calls[0].query == {"type": "face", "gender": "true", "delete": "true"}


# --- accounts -----------------------------------------------------------------------------


def test_without_a_user_there_is_no_login_and_no_token(gateway: Gateway, tmp_path: Path) -> None:
    stream(clip(tmp_path / "clip.avi"), url=gateway.url)

    assert gateway.logins == []
    assert {call.authorization for call in gateway.calls} == {None}


@pytest.mark.parametrize("status", [401, 422])
def test_it_logs_in_again_when_its_token_has_ended(status: int, gateway: Gateway, tmp_path: Path) -> None:
    gateway.replies = (Reply(), Reply(status, {"msg": "Token has expired"}), Reply())
    path = clip(tmp_path / "clip.avi")

    run = stream(path, "--user", "ada", "--password-stdin", url=gateway.url, password=f"{PASSWORD}\n")

    assert run.returncode == 0
    assert gateway.logins == [{"username": "ada", "password": PASSWORD}] * 2
    tokens = ["Bearer token 1", "Bearer token 1", "Bearer token 2", "Bearer token 2"]
    assert [call.authorization for call in gateway.calls] == tokens
    assert (gateway.calls[1].picture == gateway.calls[2].picture).all(), "the refused frame is sent again"


def test_a_token_that_is_refused_at_once_ends_it(gateway: Gateway, tmp_path: Path) -> None:
    gateway.replies = (Reply(401, {"msg": "User is disabled"}),)
    path = clip(tmp_path / "clip.avi")

    run = stream(path, "--user", "ada", url=gateway.url, settings={"OKAPIA_PASSWORD": PASSWORD})

    assert run.returncode == 1
    assert "the server said 401: " in run.stderr
    assert len(gateway.logins) == 2


def test_a_wrong_password_ends_it(gateway: Gateway, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi")

    run = stream(path, "--user", "ada", url=gateway.url, settings={"OKAPIA_PASSWORD": PASSWORD[1:]})

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("stream: the server said 401: ")
    assert PASSWORD[1:] not in run.stderr
    assert gateway.calls == []


# --- servers that do not answer -----------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_frame_of_a_file_waits_as_long_as_the_server_says(
    status: int, gateway: Gateway, tmp_path: Path
) -> None:
    busy = Reply(status, {"message": "busy"}, {"Retry-After": "1"})
    gateway.replies = (Reply(), busy, Reply())

    run = stream(clip(tmp_path / "clip.avi"), "--json", url=gateway.url)

    assert [line["frame"] for line in lines(run)] == [0, 5, 10]
    refused, again = gateway.calls[1:3]
    assert (refused.picture == again.picture).all()
    assert again.moment - refused.moment >= 1
    assert f"the server said {status}" in run.stderr


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(body=b"<html>"), "expected JSON"),
        (Reply(body={"detections": []}), "expected a list of boxes"),
        (Reply(body=[{"label": "dog"}]), "expected type, confidence and box"),
        (Reply(body=[BOX | {"box": [1, 2, 3]}]), "expected type, confidence and box"),
        (Reply(400, {"message": "Invalid Model:object"}), "Invalid Model:object"),
        (Reply(404, b"nothing here"), "the server said 404: nothing here"),
        (Reply(500, b"oh no"), "the server said 500: oh no"),
        (Reply(503, b"no model", {"Retry-After": "301"}), "the server said 503: no model"),
    ],
)
def test_what_waiting_does_not_mend_ends_it_with_the_film_finished(
    reply: Reply, said: str, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.replies = (Reply(), reply)

    run = stream(clip(tmp_path / "clip.avi"), url=gateway.url)

    assert run.returncode == 1
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert len(frames_of(tmp_path / "clip-boxes.mp4")) == 5, "what was seen before"


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    run = stream(clip(tmp_path / "clip.avi"), url="http://127.0.0.1:9")

    assert run.returncode == 1
    assert "stream: no answer from the server: " in run.stderr


# --- what cannot be opened or shown -------------------------------------------------------


def test_a_source_that_is_no_video_is_named(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no video")

    run = stream(tmp_path / "notes.txt", url=gateway.url)

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f"stream: cannot open {tmp_path / 'notes.txt'}"
    assert gateway.calls == []


def test_a_film_that_cannot_be_written_is_named(gateway: Gateway, tmp_path: Path) -> None:
    run = stream(clip(tmp_path / "clip.avi"), "--output", "missing/out.mp4", url=gateway.url)

    assert run.returncode == 1
    assert "stream: cannot write missing/out.mp4" in run.stderr


def test_the_film_never_takes_the_place_of_its_source(gateway: Gateway, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi")

    run = stream(path, "--output", "clip.avi", url=gateway.url)

    assert run.returncode == 1
    assert "expected an output that is not the source" in run.stderr
    assert len(frames_of(path)) == 12


def test_an_opencv_without_windows_says_so_and_writes_a_film(gateway: Gateway, tmp_path: Path) -> None:
    run = stream(clip(tmp_path / "clip.avi"), url=gateway.url, settings={"DISPLAY": ":77"})

    assert run.returncode == 0
    assert "install opencv-python in place of opencv-python-headless" in run.stderr
    assert len(frames_of(tmp_path / "clip-boxes.mp4")) == 12
