"""Which formats are read, told by content, and what a picture's header says before anything is decoded."""

import io
import re
from typing import Final

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from okapia.domain.errors import BadImage, TooManyPixels, UnsupportedFormat

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What we read, by content. An explicit list, because Pillow would start Ghostscript for an EPS.
Pillow opens a JPEG of several pictures (MPO) under the name of JPEG."""

# Pillow loads plug-ins at the first use of a format, which two threads can meet at once; and
# it would load all of them. These are ours, loaded here.
_PLUGINS: Final = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# Pillow's guard against bombs is one number for the whole process, warns in place of refusing
# up to twice that number, and does not know our policy. `check_size` refuses from the header,
# per policy, before anything is decoded; set once here, so that no thread ever changes it.
Image.MAX_IMAGE_PIXELS = None

MAX_SCANS: Final = 100
"""Scans of a progressive JPEG; encoders write about ten. Each one walks the whole picture, so a
small file with thousands keeps a core busy for minutes (libjpeg-turbo advises such a limit)."""

SOS: Final = b"\xff\xda"
"""Begins a scan of a JPEG."""

_MAGIC: Final = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM"),
    "TIFF": re.compile(rb"II\*\0|MM\0\*"),
    "GIF": re.compile(rb"GIF8[79]a"),
}


def open_header(data: bytes, formats: tuple[str, ...]) -> ImageFile.ImageFile:
    """Read the header of a picture in one of `formats`; no pixel is decoded yet.

    Raises:
        UnsupportedFormat: the content is none of them.
        BadImage: it begins as one of them and goes on as none. Pillow raises others for other damage.
    """
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:
        if any(_MAGIC[name].match(data) for name in formats):
            raise BadImage(f"the header is damaged, in a file of {len(data):,} bytes") from error
        raise UnsupportedFormat(n_bytes=len(data), accepted=", ".join(formats)) from error


def check_size(header: ImageFile.ImageFile, *, max_pixels: int) -> None:
    """Raise `TooManyPixels` for more than `max_pixels`."""
    width, height = header.size
    if width * height > max_pixels:
        raise TooManyPixels(width=width, height=height, max_pixels=max_pixels)


def check_scans(data: bytes, header: ImageFile.ImageFile) -> None:
    """Raise `BadImage` for a progressive JPEG of more than `MAX_SCANS` scans."""
    if header.info.get("progressive") and (scans := data.count(SOS)) > MAX_SCANS:
        raise BadImage(f"{scans:,} scans in a progressive JPEG; at most {MAX_SCANS} are decoded")
