"""Pictures to send."""

from io import BytesIO

from PIL import Image


def jpeg(colour: tuple[int, int, int] = (90, 120, 60)) -> bytes:
    """A small JPEG of one colour; each colour is another picture."""
    buffer = BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    """A multipart form of several pictures."""
    return [("images", (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(pictures)]
