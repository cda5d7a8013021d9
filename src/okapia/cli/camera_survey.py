"""The cameras of a folder: seen in the headers of its pictures, written as a table of deployments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson

from okapia.cli.bar import progress_bar
from okapia.domain.errors import BadImage, InvalidRequest, NothingToDo, OutputNotWritable
from okapia.domain.types import CaptureMetadata
from okapia.formats.megadetector import as_utf8
from okapia.pipeline.cameras import (
    CameraRule,
    CameraSeen,
    CamerasSeen,
    Picture,
    infer_table,
    parse_camera_rule,
    write_deployments,
)
from okapia.storage.folder import FoundImage, ScanProblem, read_image, scan
from okapia.vision import decode

HEAD_BYTES = 256 * 1024
"""Read of a file at first: cameras write time and serial number before the pixels, within 64 KB."""

_WHOLE_BYTES = 200_000_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CameraWarning:
    """What a person should look at before the table is used."""

    code: Literal["several_folders", "without_camera", "without_time", "unreadable"]
    message: str


@dataclass(slots=True)
class _Tally:
    """Pictures of which something is missing, by name."""

    pictures: int = 0
    without_camera: list[str] = field(default_factory=list)
    without_time: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CameraSurvey:
    """What the pictures of a folder say of their cameras.

    Attributes:
        output: the table that was written; None when none was asked for.
    """

    seen: CamerasSeen
    warnings: tuple[CameraWarning, ...]
    pictures: int
    output: Path | None

    def as_json(self) -> str:
        """One JSON object for machines."""
        document = {
            "output": as_utf8(str(self.output)) if self.output else None,
            "pictures": self.pictures,
            "cameras": [_camera(camera) for camera in self.seen.cameras],
            "without_camera": self.seen.without_camera,
            "warnings": [{"code": w.code, "message": w.message} for w in self.warnings],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

    def as_text(self) -> str:
        """One line a camera; the last says what to do next."""
        width = max((len(camera.camera) for camera in self.seen.cameras), default=0)
        lines = [_line(camera, width) for camera in self.seen.cameras]
        lines.append(f"{len(self.seen.cameras)} cameras, {self.pictures} pictures")
        if self.output is None:
            return "\n".join([*lines, "Write the table to fill in with -o deployments.csv"])
        rest = "fill in latitude, longitude, start, end and timezone, and use it with --deployments"
        return "\n".join([*lines, f"Table: {as_utf8(str(self.output))}; {rest}"])


def survey(folder: Path, *, rule: str | None, output: Path | None, is_quiet: bool) -> CameraSurvey:
    """Read the headers of a folder's pictures and write the table of deployments.

    Args:
        rule: `folder:N`, `regex:EXPR`, `exif:serial`; None goes by the folders.
        is_quiet: show no progress bar.

    Raises:
        InvalidRequest: the rule or the folder is none.
        NothingToDo: there is no picture.
        OutputNotWritable: the table is there already (found out before any picture is read), or
            cannot be written.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"expected a folder of pictures, got {folder}", param="folder")
    cameras = parse_camera_rule(rule, root=folder.resolve().name)
    if output is not None and output.exists():
        raise OutputNotWritable(
            f"{output} is there already and may have been filled in; name another file, or move it away"
        )
    tally = _Tally()
    seen = infer_table(_pictures(folder, cameras, tally, is_quiet=is_quiet), cameras)
    if tally.pictures == 0:
        raise NothingToDo(f"no pictures in {folder}")
    if output is not None:
        write_deployments(output, seen)
    return CameraSurvey(seen, tuple(_warnings(seen, tally)), tally.pictures, output)


def _pictures(folder: Path, rule: CameraRule, tally: _Tally, *, is_quiet: bool) -> Iterator[Picture]:
    """Give every picture of the folder as its header tells it."""
    total = sum(1 for _ in scan([folder]))
    with progress_bar(total, is_quiet=is_quiet) as advance:
        for found in scan([folder]):
            advance()
            if isinstance(found, ScanProblem):
                tally.unreadable.append(found.name)
                continue
            picture = _picture(found, tally)
            if rule.camera_of(picture) is None:
                tally.without_camera.append(picture.name)
            yield picture


def _picture(found: FoundImage, tally: _Tally) -> Picture:
    tally.pictures += 1
    try:
        capture = read_header(found.path)
    except BadImage:
        tally.unreadable.append(found.name)
        return Picture(found.name)
    if capture.captured_at is None:
        tally.without_time.append(found.name)
    return Picture(found.name, capture.captured_at, capture.camera_serial)


def read_header(path: Path) -> CaptureMetadata:
    """Give what the camera wrote into a picture, from its first bytes where they suffice.

    Raises:
        BadImage: the file cannot be read, or is no picture.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        return decode.Picture.open(head).info.capture
    except (OSError, BadImage):  # a TIFF and a WebP have it at their end
        return decode.Picture.open(read_image(path, max_bytes=_WHOLE_BYTES)).info.capture


def _warnings(seen: CamerasSeen, tally: _Tally) -> Iterator[CameraWarning]:
    for camera in seen.doubtful:
        folders = as_utf8(", ".join(sorted(folder or "." for folder in camera.folders)[:_SHOWN]))
        yield CameraWarning(
            "several_folders",
            f"{as_utf8(camera.camera)}: pictures in {len(camera.folders)} folders of that name ({folders}); "
            "if these are several cameras, name a folder further out with --camera folder:N",
        )
    if tally.without_camera:
        yield CameraWarning(
            "without_camera",
            f"{_some(tally.without_camera)} without a camera; another --camera rule may tell it",
        )
    if tally.without_time:
        yield CameraWarning("without_time", f"{_some(tally.without_time)} without a time of capture")
    if tally.unreadable:
        yield CameraWarning("unreadable", f"{_some(tally.unreadable)} could not be read")


def _some(names: Sequence[str]) -> str:
    """Count pictures and name the first of them."""
    shown = ", ".join(as_utf8(name) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {'picture' if len(names) == 1 else 'pictures'} ({shown}{more})"


def _camera(camera: CameraSeen) -> dict[str, object]:
    return {
        "camera": as_utf8(camera.camera),
        "pictures": camera.pictures,
        "first_picture": camera.first,
        "last_picture": camera.last,
        "folders": sorted(as_utf8(folder) for folder in camera.folders if folder),
    }


def _line(camera: CameraSeen, width: int) -> str:
    name = as_utf8(camera.camera)
    if camera.first is None or camera.last is None:
        return f"{name:<{width}} {camera.pictures:>7}  no time in any picture"
    return (
        f"{name:<{width}} {camera.pictures:>7}  {camera.first:%Y-%m-%d %H:%M} to {camera.last:%Y-%m-%d %H:%M}"
    )
