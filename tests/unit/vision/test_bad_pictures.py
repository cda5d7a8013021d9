"""Bytes that are no picture, half a picture, or a trap: each ends in its own error, or in what is left."""

import os
import stat
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from okapia.domain.errors import BadImage, EmptyImage, TooManyPixels, TruncatedImage, UnsupportedFormat
from okapia.vision.decode import DecodePolicy, Picture, Truncated
from okapia.vision.resample import Pixels
from tests.unit.vision import hostile
from tests.unit.vision.pictures import difference, encode, fitted, scene

CANVAS = (640, 640)
REFUSE = DecodePolicy(truncated=Truncated.REFUSE)
SCENE = scene(320, 240, noise=0)
NOISY = scene(640, 480, noise=12)
"""Noise costs the same number of bytes in every row: a cut at half the file is a cut at half the picture."""


def decode(data: bytes, policy: DecodePolicy | None = None) -> tuple[Pixels, float]:
    picture = Picture.open(data, policy)
    pixels = fitted(picture, CANVAS)
    return pixels, picture.info.decoded_fraction


# --- no picture -------------------------------------------------------------------------


def test_no_bytes_are_an_empty_image() -> None:
    with pytest.raises(EmptyImage, match="0 bytes"):
        Picture.open(b"")


@pytest.mark.parametrize("data", [hostile.TEXT, b"%PDF-1.7\n%%EOF", b"\0" * 4096, b"<svg/>"])
def test_other_content_is_an_unsupported_format(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=r"expected one of JPEG.* got [\d,]+ bytes"):
        Picture.open(data)


def test_a_real_pdf_is_an_unsupported_format(shared_data: Path) -> None:
    with pytest.raises(UnsupportedFormat):
        Picture.open((shared_data / "edge-cases/not_an_image.pdf").read_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="the fake Ghostscript is a shell script")
def test_an_eps_never_starts_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "started"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch '{marker}'\n", encoding="utf-8")
    ghostscript.chmod(ghostscript.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    before = set(Image.OPEN)

    with pytest.raises(UnsupportedFormat):
        Picture.open(hostile.EPS)

    assert not marker.exists()
    assert set(Image.OPEN) == before  # nor was the plug-in loaded that would


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_a_damaged_header_is_a_bad_image_of_a_known_kind(kind: str) -> None:
    head = encode(SCENE, kind)[:14]

    with pytest.raises(BadImage) as caught:
        Picture.open(head)

    assert caught.value.code == "undecodable_image"


def test_no_width_is_a_bad_image() -> None:
    with pytest.raises(BadImage) as png:
        decode(hostile.png(0, 0))
    with pytest.raises(BadImage) as jpeg:
        decode(hostile.jpeg_of_size(encode(SCENE, "JPEG"), 0, 0))

    assert {png.value.code, jpeg.value.code} == {"undecodable_image"}


@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a"]),
)
def test_random_bytes_give_a_bad_image_or_a_picture(data: bytes, head: bytes) -> None:
    try:
        pixels, _ = decode(head + data)
    except BadImage:
        return
    assert pixels.dtype == np.uint8


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["JPEG", "PROGRESSIVE", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    places=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20
    ),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_flipped_bytes_give_a_bad_image_or_a_picture(kind: str, places: list[tuple[float, int]]) -> None:
    data = bytearray(SMALL[kind])
    for place, value in places:
        data[int(place * len(data))] = value
    try:
        pixels, fraction = decode(bytes(data), DecodePolicy(max_pixels=1_000_000))
    except BadImage:
        return
    assert pixels.ndim == 3
    assert 0 < fraction <= 1


SMALL = {kind: encode(scene(48, 32), kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")}
SMALL["PROGRESSIVE"] = encode(scene(48, 32), "JPEG", progressive=True)


# --- traps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        hostile.png(60_000, 60_000, raw=bytes(1_000_000)),
        hostile.tiff(60_000, 60_000),
        hostile.jpeg_of_size(encode(SCENE, "JPEG"), 60_000, 60_000),
        hostile.webp(16_383, 16_383, encode(Image.new("RGB", (8, 8)), "WEBP")),
    ],
    ids=["png", "tiff", "jpeg", "webp"],
)
def test_a_pixel_bomb_is_refused_from_its_header(data: bytes) -> None:
    started = process_time()

    with pytest.raises(TooManyPixels, match="at most 120,000,000"):
        Picture.open(data)

    assert process_time() - started < 0.1


def test_the_limit_counts_and_is_the_policys() -> None:
    data = encode(Image.new("L", (100, 100)), "PNG")

    assert Picture.open(data, DecodePolicy(max_pixels=10_000)).info.width == 100
    with pytest.raises(TooManyPixels, match="100 x 100"):
        Picture.open(data, DecodePolicy(max_pixels=9_999))


def test_more_pixels_than_pillow_likes_are_no_warning_within_the_policy() -> None:
    data = hostile.png(16_000, 16_000)

    assert Picture.open(data, DecodePolicy(max_pixels=300_000_000)).info.width == 16_000


def test_a_compressed_text_bomb_is_a_bad_image() -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    data = hostile.png(1, 1, raw=bytes(4), extra=hostile.chunk(b"zTXt", text))

    with pytest.raises(BadImage):
        decode(data)


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    data = hostile.with_scans(encode(SCENE, "JPEG", progressive=True), times=2_000)

    with pytest.raises(BadImage, match="at most 100"):
        Picture.open(data)


# --- half a picture ---------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.1, 0.35, 0.5, 0.9])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "restart_marker_rows": 1}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("GIF", {}),
    ],
    ids=["jpeg", "restarts", "png", "bmp", "tiff", "gif"],
)
def test_the_decoded_fraction_tells_where_the_file_was_cut(
    kind: str, options: dict[str, object], kept: float
) -> None:
    data = encode(NOISY, kind, **options)

    pixels, fraction = decode(data[: int(len(data) * kept)])

    assert fraction == pytest.approx(kept, abs=0.04)
    assert pixels.shape == NOISY.shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_what_is_left_of_a_cut_file_is_the_picture(kind: str) -> None:
    data = encode(NOISY, kind)
    whole, _ = decode(data)

    pixels, _ = decode(data[: len(data) * 3 // 5])

    assert np.array_equal(pixels[:240], whole[:240])


def test_a_cut_palette_picture_keeps_its_colours() -> None:
    data = encode(Image.fromarray(NOISY).quantize(64), "PNG")
    whole, _ = decode(data)

    pixels, _ = decode(data[: len(data) * 3 // 5])

    assert np.array_equal(pixels[:240], whole[:240])


def test_a_cut_cmyk_jpeg_is_used_too() -> None:
    data = encode(Image.fromarray(NOISY).convert("CMYK"), "JPEG", quality=90)

    _, fraction = decode(data[: len(data) // 2])

    assert fraction == pytest.approx(0.5, abs=0.05)


def test_a_scaled_decode_of_a_cut_file_tells_the_same_fraction() -> None:
    data = encode(scene(1600, 1200, noise=12), "JPEG", quality=90)
    picture = Picture.open(data[: len(data) // 2])

    pixels = fitted(picture, (200, 200))

    assert pixels.shape == (150, 200, 3)
    assert picture.info.decoded_fraction == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.999])
def test_a_cut_progressive_jpeg_is_damaged_though_every_row_has_data(kept: float) -> None:
    data = encode(NOISY, "JPEG", quality=90, progressive=True)

    pixels, fraction = decode(data[: int(len(data) * kept)])

    assert fraction == pytest.approx(1 - 1 / 480)
    assert difference(pixels, NOISY) < 20


def test_a_progressive_jpeg_cut_in_its_first_scan_has_rows_missing() -> None:
    data = encode(NOISY, "JPEG", quality=90, progressive=True)

    _, fraction = decode(data[: int(len(data) * 0.02)])

    assert 0.01 < fraction < 0.5


def test_a_missing_end_marker_alone_is_no_damage() -> None:
    for options in ({}, {"progressive": True}):
        _, fraction = decode(encode(NOISY, "JPEG", **options)[:-2], REFUSE)

        assert fraction == 1


def test_bytes_behind_the_picture_are_no_damage() -> None:
    data = encode(NOISY, "JPEG")

    for tail in (bytes(512), b"[vendor block]", data):
        assert decode(data + tail, REFUSE)[1] == 1


def test_bytes_between_markers_are_no_damage() -> None:
    data = encode(NOISY, "JPEG")
    scan = data.index(b"\xff\xda")

    assert decode(data[:scan] + bytes(3) + data[scan:], REFUSE)[1] == 1


def test_bytes_between_markers_do_not_hide_a_cut() -> None:
    data = encode(NOISY, "JPEG")
    scan = data.index(b"\xff\xda")

    _, fraction = decode((data[:scan] + bytes(3) + data[scan:])[: len(data) // 2])

    assert fraction == pytest.approx(0.5, abs=0.04)


def test_a_block_of_another_file_in_the_middle_is_damage() -> None:
    data = encode(NOISY, "JPEG", quality=90)
    middle = len(data) // 2
    block = np.random.default_rng(0).bytes(4096)

    _, fraction = decode(data[:middle] + block + data[middle + 4096 :])

    assert 0.4 < fraction < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_policy_refuses_cut_files(kind: str) -> None:
    data = encode(NOISY, kind)
    picture = Picture.open(data[: len(data) // 2], REFUSE)

    with pytest.raises(TruncatedImage, match="of its rows hold picture data") as caught:
        fitted(picture, CANVAS)

    assert caught.value.decoded_fraction == pytest.approx(0.5, abs=0.04)


def test_a_png_cut_before_its_first_row_is_a_bad_image() -> None:
    data = encode(NOISY, "PNG")

    with pytest.raises(BadImage, match="no row of the PNG data"):
        decode(data[: data.index(b"IDAT") + 6])


def test_a_jpeg_cut_before_its_first_row_has_at_most_one_row_of_blocks() -> None:
    data = encode(NOISY, "JPEG")

    _, fraction = decode(data[: data.index(b"\xff\xda") + 14])

    assert fraction <= 16 / 480


def test_real_edge_cases(shared_data: Path) -> None:
    cases = shared_data / "edge-cases"
    straight, _ = decode((shared_data / "camera-traps/african_elephants.jpg").read_bytes())

    cmyk, whole = decode((cases / "african_elephants_cmyk.jpg").read_bytes())
    cut, part = decode((cases / "african_elephants_truncated_file.jpg").read_bytes())

    assert (whole, cmyk.ndim) == (1, 3)
    assert 0.5 < part < 1
    rows = int(straight.shape[0] * part) - 16
    assert difference(cut[:rows], straight[:rows]) < 4


def test_all_real_camera_trap_pictures_are_whole(shared_data: Path) -> None:
    for path in sorted((shared_data / "camera-traps").glob("*.jpg")):
        assert decode(path.read_bytes(), REFUSE)[1] == 1, path.name


def test_policies_of_threads_do_not_meet() -> None:
    data = encode(NOISY, "PNG")
    cut = data[: len(data) // 2]

    def outcome(policy: DecodePolicy) -> str:
        try:
            return f"{decode(cut, policy)[1]:.1f}"
        except TruncatedImage as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(outcome, [DecodePolicy(), REFUSE] * 20))

    assert outcomes == ["0.5", "truncated_image"] * 20
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
