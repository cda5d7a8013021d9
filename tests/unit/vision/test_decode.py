"""Whole files become upright RGB, no larger than asked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from okapia.domain.types import BBox, Size
from okapia.vision.decode import DecodePolicy, Picture, Scaling
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels
from tests.unit.vision.hostile import png
from tests.unit.vision.pictures import difference, encode, exif_with, fitted, scene

SCENE = scene(320, 200)
WHOLE = BBox(0, 0, 1, 1)
EXACT = DecodePolicy(scaling=Scaling.EXACT)


def decode(data: bytes, policy: DecodePolicy | None = None) -> Pixels:
    """Full-size pixels."""
    return fitted(Picture.open(data, policy), (100_000, 100_000))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_very_pixels(kind: str) -> None:
    picture = Picture.open(encode(SCENE, kind))

    pixels = fitted(picture, (64, 64))

    assert np.array_equal(pixels, SCENE)
    assert (picture.info.format, picture.info.decoded_fraction) == (kind, 1.0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
        ("JPEG", {"quality": 95, "keep_rgb": True}),
        ("WEBP", {"quality": 95}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg", "quality": 95}),
    ],
    ids=["jpeg", "progressive jpeg", "jpeg 4:4:4", "rgb jpeg", "webp", "lzw tiff", "jpeg tiff"],
)
def test_other_encodings_give_the_picture(kind: str, options: dict[str, object]) -> None:
    data = encode(scene(320, 200, noise=0), kind, **options)

    pixels = decode(data)

    assert pixels.shape == (200, 320, 3)
    assert pixels.flags.c_contiguous
    assert difference(pixels, scene(320, 200, noise=0)) < 4


def test_content_decides_not_the_name_of_a_format() -> None:
    assert Picture.open(encode(SCENE, "PNG")).info.format == "PNG"
    assert Picture.open(encode(SCENE, "JPEG")).info.format == "JPEG"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "MPO", "TIFF"])
def test_of_several_frames_the_first_is_the_picture(kind: str) -> None:
    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    data = encode(red, kind, save_all=True, append_images=[blue])

    picture = Picture.open(data)

    assert fitted(picture, (40, 30))[15, 20].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert picture.info.format == kind


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64 * 48).reshape(48, 64).astype(np.uint16)

    for kind in ("PNG", "TIFF"):
        pixels = decode(encode(Image.fromarray(ramp), kind))

        assert np.array_equal(pixels, np.repeat((ramp >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_16_bit_colour_keeps_its_upper_byte() -> None:
    values = np.full((4, 5, 3), (0x1234, 0x8001, 0xFFFF), dtype=">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in values)

    pixels = decode(png(5, 4, depth=16, raw=raw))

    assert pixels[2, 2].tolist() == [0x12, 0x80, 0xFF]


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_values_without_a_range_are_stretched_over_the_whole(dtype: type[np.float32 | np.int32]) -> None:
    heat = np.array([[-40, 0], [20, 60]]).astype(dtype)

    pixels = decode(encode(Image.fromarray(heat), "TIFF"))

    assert pixels[..., 0].tolist() == [[0, 102], [153, 255]]


def test_a_float_picture_survives_what_is_no_number() -> None:
    heat = np.array([[0.0, np.nan], [np.inf, 10.0]], dtype=np.float32)

    pixels = decode(encode(Image.fromarray(heat), "TIFF"))

    assert pixels[..., 1].tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGBA"], ids=["1-bit", "grey", "grey alpha", "palette", "alpha"]
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.fromarray(SCENE).convert(mode)

    pixels = decode(encode(image, "PNG"))

    assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparent_parts_become_black(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (250, 200, 150, 255))
    image.paste((90, 90, 90, 0), (0, 0, 4, 8))
    options = {"transparency": 1} if mode == "P" else {}
    if mode == "P":
        image = Image.fromarray(np.repeat(np.array([[1] * 4 + [2] * 4], np.uint8), 8, axis=0), "L").convert(
            "P"
        )

    pixels = decode(encode(image, "PNG", **options))

    assert pixels[4, 1].tolist() == [0, 0, 0]
    assert pixels[4, 6].any()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))

    pixels = decode(encode(image, kind))

    assert pixels[16, 16].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_grey_jpeg_has_three_equal_channels() -> None:
    pixels = decode(encode(Image.fromarray(SCENE).convert("L"), "JPEG"))

    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (10, 20_000), (3, 5)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_odd_sizes_decode(kind: str, size: Size) -> None:
    picture = Picture.open(encode(Image.new("RGB", size, (10, 200, 30)), kind))

    pixels = fitted(picture, (640, 640))

    assert (picture.info.width, picture.info.height) == size
    assert pixels[0, 0].tolist() == pytest.approx([10, 200, 30], abs=4)


# --- orientation ------------------------------------------------------------------------

STORE: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: np.rot90,
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}
"""How a camera stores an upright picture under each orientation (EXIF 2.3, tag 274)."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    upright = scene(320, 200, noise=0)
    stored = np.ascontiguousarray(STORE[orientation](upright))
    data = encode(stored, kind, exif=exif_with(orientation=orientation), quality=95)

    picture = Picture.open(data)
    pixels = fitted(picture, (320, 320))

    assert (picture.info.width, picture.info.height) == (320, 200)
    assert picture.info.capture.orientation == orientation
    assert pixels.flags.c_contiguous
    assert difference(pixels, upright) < 4


def test_a_real_turned_picture_is_the_upright_one(shared_data: Path) -> None:
    turned = Picture.open(
        (shared_data / "edge-cases/african_elephants_with_exif_orientation.jpg").read_bytes()
    )
    straight = Picture.open((shared_data / "camera-traps/african_elephants.jpg").read_bytes())

    assert turned.info.capture.orientation != 1
    assert (turned.info.width, turned.info.height) == (straight.info.width, straight.info.height)
    assert difference(fitted(turned, (640, 640)), fitted(straight, (640, 640))) < 4


# --- scale ------------------------------------------------------------------------------


def test_a_large_jpeg_is_decoded_near_the_asked_size() -> None:
    picture = Picture.open(encode(scene(2000, 1500), "JPEG"))

    pixels = fitted(picture, (640, 640))

    assert pixels.shape == (563, 750, 3)  # 3/8, the least that has 640 x 480


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 120),
    canvas=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    orientation=st.sampled_from([1, 6]),
)
def test_fitting_never_enlarges_what_the_original_has(
    width: int, height: int, canvas: Size, orientation: int
) -> None:
    data = encode(Image.new("RGB", (width, height)), "JPEG", exif=exif_with(orientation=orientation))
    picture = Picture.open(data)
    original = (picture.info.width, picture.info.height)

    pixels = fitted(picture, canvas)

    wanted = fit(original, canvas)
    assert pixels.shape[1] >= min(wanted[0], original[0])
    assert pixels.shape[0] >= min(wanted[1], original[1])


def test_exact_decodes_the_full_size() -> None:
    picture = Picture.open(encode(scene(800, 600), "JPEG"), EXACT)

    assert fitted(picture, (100, 100)).shape == (600, 800, 3)


def test_scaled_pixels_are_nearer_to_an_averaged_picture_than_every_fourth_pixel() -> None:
    original = scene(1600, 1200, noise=20)
    data = encode(original, "JPEG", quality=95)
    averaged = np.asarray(Image.fromarray(original).resize((400, 300), Image.Resampling.BOX))

    pixels = fitted(Picture.open(data), (400, 300))

    assert difference(pixels, averaged) < 0.25 * difference(original[::4, ::4], averaged)


def test_kept_pixels_cannot_be_written_to() -> None:
    pixels = fitted(Picture.open(encode(SCENE, "JPEG")), (64, 64))

    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 0


# --- crops ------------------------------------------------------------------------------


def test_a_crop_that_is_large_enough_comes_from_the_kept_pixels() -> None:
    picture = Picture.open(encode(scene(1600, 1200), "JPEG"))
    small = fitted(picture, (400, 400))

    crop = picture.crop(BBox(0.25, 0.25, 0.5, 0.5), side=200)

    assert np.array_equal(crop, small[75:225, 100:300])


def test_a_small_animal_is_decoded_again_at_a_larger_scale() -> None:
    original = scene(1600, 1200, noise=0)
    picture = Picture.open(encode(original, "JPEG", quality=95))
    fitted(picture, (400, 400))

    crop = picture.crop(BBox(0.5, 0.5, 0.125, 0.125), side=500)

    assert crop.shape == (150, 200, 3)
    assert difference(crop, original[600:750, 800:1000]) < 4


@given(
    bbox=st.builds(
        BBox.from_corners,
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
        st.floats(0, 1, width=32),
    ),
    side=st.integers(1, 300),
)
def test_a_crop_has_the_asked_side_where_the_original_has(bbox: BBox, side: int) -> None:
    picture = Picture.open(CROPPED)

    crop = picture.crop(bbox, side=side)

    available = max(bbox.width * 160, bbox.height * 120)
    assert max(crop.shape[:2]) >= min(side, int(available))
    assert min(crop.shape[:2]) >= 1


CROPPED = encode(scene(160, 120), "JPEG")


def test_a_crop_of_the_whole_is_the_picture() -> None:
    picture = Picture.open(encode(SCENE, "PNG"))

    assert np.array_equal(picture.crop(WHOLE, side=10), SCENE)


def test_a_crop_follows_the_orientation() -> None:
    upright = scene(320, 200, noise=0)
    stored = np.ascontiguousarray(STORE[6](upright))
    picture = Picture.open(encode(stored, "JPEG", quality=95, exif=exif_with(orientation=6)))

    crop = picture.crop(BBox(0.5, 0, 0.5, 0.5), side=1000)

    assert difference(crop, upright[:100, 160:]) < 4


# --- threads ----------------------------------------------------------------------------


def test_eight_threads_decode_what_one_does() -> None:
    files = [
        encode(SCENE, "JPEG"),
        encode(SCENE, "JPEG", progressive=True)[:-2000],
        encode(SCENE, "PNG"),
        encode(SCENE, "PNG")[:-5000],
        encode(SCENE, "WEBP"),
        encode(Image.fromarray(SCENE).convert("CMYK"), "JPEG"),
        encode(SCENE, "TIFF", compression="tiff_lzw"),
    ]
    alone = [decode(data) for data in files]

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(decode, files * 20))

    assert all(np.array_equal(pixels, alone[i % len(files)]) for i, pixels in enumerate(together))
