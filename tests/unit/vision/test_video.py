"""Clips opened, their frames picked, upright and in bounds; and clips that are broken."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from okapia.domain.clips import FrameRule, FrameUnit
from okapia.domain.errors import (
    BadImage,
    ClipTooLong,
    OutputNotWritable,
    ServerBusy,
    TooManyPixels,
    TruncatedImage,
)
from okapia.domain.types import BBox, ImageInfo
from okapia.vision.budget import Crowded, DecodeBudget
from okapia.vision.decode import DecodePolicy, Truncated
from okapia.vision.video import ClipLimits, Frame, clip_format, open_clip
from tests.unit.vision.clips import FPS, avi, clip, jpeg, plain, turned, with_pause
from tests.unit.vision.pictures import difference, scene

EVERY_SECOND = FrameRule()
EVERY_FRAME = FrameRule(1, FrameUnit.FRAMES)
POLICY = DecodePolicy()
LARGER = (320, 240)


def gone_through(
    data: bytes, rule: FrameRule = EVERY_FRAME, policy: DecodePolicy = POLICY
) -> tuple[ImageInfo, list[Frame]]:
    with open_clip(data, policy) as footage:
        frames = list(footage.frames(rule))
        return footage.info, frames


def numbers(data: bytes, rule: FrameRule) -> tuple[int, ...]:
    info, _ = gone_through(data, rule)
    assert info.clip
    return info.clip.frames


def brightness(frame: Frame) -> float:
    return float(frame.whole.mean())


@pytest.mark.parametrize(
    ("suffix", "codec", "kind"),
    [
        (".mp4", "mp4v", "MP4"),
        (".mov", "mp4v", "MP4"),
        (".avi", "MJPG", "AVI"),
        (".mkv", "mp4v", "MATROSKA"),
        (".webm", "VP90", "MATROSKA"),
        (".mpg", "PIM1", "MPEG"),
    ],
)
def test_every_frame_of_every_container_is_decoded(suffix: str, codec: str, kind: str) -> None:
    data = clip(plain(50), suffix=suffix, codec=codec, fps=25)

    info, frames = gone_through(data)

    assert (info.width, info.height, info.format, info.n_bytes) == (64, 48, kind, len(data))
    assert [frame.number for frame in frames] == list(range(50))
    assert [brightness(frame) for frame in frames[10::10]] == pytest.approx([20, 40, 60, 80], abs=4)
    assert info.clip
    assert info.clip.frame_rate == 25
    assert info.clip.seconds == pytest.approx(2.0, abs=0.05)
    assert not info.is_damaged


@pytest.mark.parametrize(
    ("every", "unit", "picked"),
    [
        (1.0, FrameUnit.SECONDS, (0, 10, 20)),
        (0.3, FrameUnit.SECONDS, (0, 3, 6, 9, 12, 15, 18, 21, 24)),
        (0.25, FrameUnit.SECONDS, (0, 3, 5, 8, 10, 13, 15, 18, 20, 23)),
        (60.0, FrameUnit.SECONDS, (0,)),
        (0.01, FrameUnit.SECONDS, tuple(range(25))),
        (7, FrameUnit.FRAMES, (0, 7, 14, 21)),
        (100, FrameUnit.FRAMES, (0,)),
    ],
)
def test_frames_are_picked_by_time_or_by_number(
    every: float, unit: FrameUnit, picked: tuple[int, ...]
) -> None:
    data = clip(plain(25))

    assert numbers(data, FrameRule(every, unit)) == picked


def test_time_is_the_frames_own_where_it_runs_unevenly() -> None:
    even = clip(plain(25, LARGER), suffix=".mkv")

    uneven = with_pause(even, 10)

    assert numbers(even, FrameRule(2)) == (0, 20)
    assert numbers(uneven, FrameRule(2)) == (0, 5, 20)


def test_a_clip_that_was_filmed_upright_is_given_upright() -> None:
    left_white = np.zeros((48, 64, 3), dtype=np.uint8)
    left_white[:, :32] = 255

    info, (frame, *_) = gone_through(turned(clip([left_white] * 5)))

    assert (info.width, info.height) == (48, 64)
    assert frame.whole.shape == (64, 48, 3)
    assert frame.whole[:24].mean() > 245
    assert frame.whole[40:].mean() < 10


def test_a_frame_has_the_colours_of_the_picture_that_it_was_made_of() -> None:
    picture = scene(160, 120)

    _, (frame,) = gone_through(avi([jpeg(picture)], (160, 120)))

    assert difference(frame.whole, picture) < 4


def test_a_crop_is_the_part_under_the_box() -> None:
    _, (frame,) = gone_through(avi([jpeg(scene(160, 120))], (160, 120)))

    crop = frame.crop(BBox(0.5, 0.5, 0.25, 0.5), side=224)

    assert np.array_equal(crop, frame.whole[60:120, 80:120])


def test_frames_of_one_pixel_are_frames() -> None:
    data = avi([jpeg(np.full((1, 1, 3), 200, dtype=np.uint8))] * 3, (1, 1))

    _, frames = gone_through(data)

    assert [frame.whole.shape for frame in frames] == [(1, 1, 3)] * 3


def test_frames_of_4k_are_given_in_full() -> None:
    _, frames = gone_through(clip(plain(3, (3840, 2160)), suffix=".avi", codec="MJPG"), EVERY_SECOND)

    assert [frame.whole.shape for frame in frames] == [(2160, 3840, 3)]


def test_frames_that_change_size_come_in_the_size_of_the_first() -> None:
    data = avi([jpeg(scene(64, 48)), jpeg(scene(640, 480))], (64, 48))

    _, frames = gone_through(data)

    assert [frame.whole.shape for frame in frames] == [(48, 64, 3)] * 2


def sound_only() -> bytes:
    """A Matroska file as OpenCV writes it, whose one track calls itself a subtitle."""
    data = clip(plain(5), suffix=".mkv")
    track_type = data.index(b"\x83\x81\x01")
    return data[: track_type + 2] + b"\x11" + data[track_type + 3 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(clip(plain(25))[:-100], id="mp4 without its index"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20, id="mp4 in name only"),
        pytest.param(b"RIFF\0\0\0\0AVI ", id="avi of 12 bytes"),
        pytest.param(b"\x1a\x45\xdf\xa3" + bytes(100), id="matroska of zeros"),
        pytest.param(b"\0\0\1\xba" + bytes(100), id="mpeg of zeros"),
        pytest.param(avi([], (64, 48)), id="no frames"),
        pytest.param(avi([b"no jpeg"] * 3, (64, 48)), id="frames of rubbish"),
        pytest.param(sound_only(), id="no picture track"),
    ],
)
def test_a_clip_without_a_frame_is_bad_in_one_sentence(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadImage, match=r"clip cannot be opened|none can be decoded"):
        gone_through(data)

    assert capfd.readouterr().err == ""


def test_a_clip_that_was_cut_off_is_used_as_far_as_it_goes() -> None:
    data = clip(plain(25, LARGER), suffix=".avi", codec="MJPG")

    info, frames = gone_through(data[: len(data) * 6 // 10])

    assert 10 <= len(frames) < 20
    assert info.decoded_fraction == pytest.approx(len(frames) / 25)
    assert info.clip
    assert info.clip.seconds == pytest.approx(len(frames) / FPS)


def test_a_hole_in_a_clip_costs_its_frames_only() -> None:
    whole = jpeg(scene(64, 48))
    data = avi([*[whole] * 4, *[b"a dead block"] * 3, *[whole] * 3], (64, 48))

    info, frames = gone_through(data)

    assert [frame.number for frame in frames] == [0, 1, 2, 3, 7, 8, 9]
    assert info.decoded_fraction == pytest.approx(0.7)


def test_a_policy_can_refuse_clips_that_were_cut_off() -> None:
    data = avi([jpeg(scene(64, 48)), b"a dead block"], (64, 48))

    with pytest.raises(TruncatedImage, match=r"50.0% of its frames"):
        gone_through(data, policy=DecodePolicy(truncated=Truncated.REFUSE))


def test_too_many_seconds_are_refused_before_anything_is_decoded() -> None:
    with open_clip(clip(plain(25)), POLICY, ClipLimits(seconds=2)) as footage:
        frames = footage.frames(EVERY_SECOND)

        with pytest.raises(ClipTooLong, match="at most 2 s, got 2 s"):
            next(frames)


def test_a_header_that_hides_the_length_is_found_out() -> None:
    paused = with_pause(clip(plain(25, LARGER), suffix=".mkv"), 30)

    with (
        open_clip(paused, POLICY, ClipLimits(seconds=20)) as footage,
        pytest.raises(ClipTooLong, match="31 s"),
    ):
        list(footage.frames(EVERY_SECOND))


def test_too_many_frames_to_look_at_are_refused_before_anything_is_decoded() -> None:
    with open_clip(clip(plain(25)), POLICY) as footage:
        frames = footage.frames(FrameRule(1, FrameUnit.FRAMES, most=10))

        with pytest.raises(ClipTooLong, match="at most 10 frames"):
            next(frames)


def test_frames_that_the_header_does_not_announce_count_too() -> None:
    paused = with_pause(clip(plain(25, LARGER), suffix=".mkv"), 10)

    with open_clip(paused, POLICY) as footage, pytest.raises(ClipTooLong, match="at most 3 frames"):
        list(footage.frames(FrameRule(0.5, most=3)))


def test_decoding_that_takes_too_long_is_stopped() -> None:
    with open_clip(clip(plain(25)), POLICY, ClipLimits(decoding_s=0)) as footage:
        frames = footage.frames(EVERY_SECOND)

        with pytest.raises(ClipTooLong, match="within 0 s"):
            next(frames)


def test_frames_of_too_many_pixels_are_refused() -> None:
    with pytest.raises(TooManyPixels, match="64 x 48"):
        gone_through(clip(plain(2)), policy=DecodePolicy(max_pixels=3071))


def test_a_clip_counts_towards_the_memory_of_all() -> None:
    budget = DecodeBudget(1_000_000)
    policy = DecodePolicy(budget=budget, crowded=Crowded.REFUSE)

    with (
        open_clip(clip(plain(2)), policy) as one,
        one.in_memory(),
        budget.hold(800_000, Crowded.REFUSE),
        open_clip(clip(plain(2)), policy) as other,
        pytest.raises(ServerBusy),
        other.in_memory(),
    ):
        pass


@pytest.mark.parametrize("data", [clip(plain(2)), clip(plain(2))[:-100]])
def test_nothing_stays_in_the_temporary_folder(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    try:
        with open_clip(data, POLICY):
            (folder,) = tmp_path.iterdir()
            assert folder.stat().st_mode & 0o077 == 0
    except BadImage:
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_gone_is_not_the_clips_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = clip(plain(2))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(OutputNotWritable, match="temporary folder: No such file"):
        gone_through(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        jpeg(scene(64, 48)),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"#EXTM3U\nfile:///etc/passwd\n",
        *(b"\0\0\0\x18ftyp" + brand for brand in (b"heic", b"heix", b"mif1", b"avif")),
    ],
)
def test_what_is_no_video_file_is_not_taken_for_one(data: bytes) -> None:
    assert clip_format(data) is None
