"""Which camera took a picture, where that stood, during which period, and by which clock.

Every feature that needs to know asks here. Nothing is invented: what neither the folders, nor the
picture, nor the table of deployments says is None, and whoever cannot do without it gets an error
that names the cameras.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol

from okapia.domain.errors import (
    CamerasWithoutPlace,
    CamerasWithoutTimezone,
    InvalidRequest,
    OutputNotWritable,
)
from okapia.pipeline.camera_folders import lasting
from okapia.pipeline.deployments import COLUMNS, Deployment, Deployments
from okapia.pipeline.places import Coordinates


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to tell a picture's camera by.

    Attributes:
        name: relative, `/` between folders.
        taken_at: camera time, without a zone.
        serial: of the camera, as it writes it into the picture.
    """

    name: str
    taken_at: datetime | None = None
    serial: str | None = None


class CameraRule(Protocol):
    """How a picture's camera is told."""

    def camera_of(self, picture: Picture) -> str | None:
        """Give the camera's name; None when the picture does not say."""
        ...


@dataclass(frozen=True, slots=True)
class DeepestFolder:
    """The deepest folder that neither a camera nor the calendar named: the rule without a rule.

    Attributes:
        root: name of the folder that names are relative to; taken when no other is left.
    """

    root: str = ""

    def camera_of(self, picture: Picture) -> str | None:
        left = lasting([self.root, *_folders(picture.name)])
        return left[-1] or None if left else None


@dataclass(frozen=True, slots=True)
class NumberedFolder:
    """`folder:N`: the N-th folder of the name, from the outside; negative from the picture outwards."""

    number: int

    def camera_of(self, picture: Picture) -> str | None:
        folders = _folders(picture.name)
        if abs(self.number) > len(folders):
            return None
        return folders[self.number - 1 if self.number > 0 else self.number]


@dataclass(frozen=True, slots=True)
class NamePattern:
    """`regex:EXPR`: what its group `camera` finds in the name, else its first group, else all of it."""

    pattern: re.Pattern[str]

    def camera_of(self, picture: Picture) -> str | None:
        match = self.pattern.search(picture.name)
        if match is None:
            return None
        named = "camera" in self.pattern.groupindex
        found: str | None = match["camera" if named else min(self.pattern.groups, 1)]
        return found or None


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """`exif:serial`: the serial number that the camera writes into its pictures."""

    def camera_of(self, picture: Picture) -> str | None:
        return picture.serial


def parse_camera_rule(text: str | None, *, root: str = "") -> CameraRule:
    """Give the rule of `folder:N`, `regex:EXPR` or `exif:serial`; None or empty is `DeepestFolder`.

    The expression is the caller's own and may take for ever: not for texts from strangers.

    Raises:
        InvalidRequest: it is none of these.
    """
    kind, _, detail = (text or "").partition(":")
    if not text:
        return DeepestFolder(root)
    if kind == "folder" and re.fullmatch(r"-?[1-9]\d{0,2}", detail):
        return NumberedFolder(int(detail))
    if kind == "regex" and detail:
        return NamePattern(_compiled(detail))
    if text == "exif:serial":
        return SerialNumber()
    raise InvalidRequest(
        f"expected folder:N (1 is the outermost, -1 the innermost), regex:EXPR or exif:serial, got {text!r}",
        param="camera",
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """What is known of a picture's camera at that moment.

    Attributes:
        camera: None when the picture does not say.
        deployment: None when the table has none of that camera and time.
    """

    camera: str | None
    deployment: Deployment | None

    @property
    def place(self) -> Coordinates | None:
        return self.deployment.place if self.deployment else None

    @property
    def timezone(self) -> tzinfo | None:
        return self.deployment.timezone if self.deployment else None


class Cameras:
    """Places pictures: by a rule that names cameras and a table that says where they stood."""

    def __init__(self, rule: CameraRule, deployments: Deployments | None = None) -> None:
        self._rule = rule
        self._deployments = deployments or Deployments()

    def placement(self, picture: Picture) -> Placement:
        """Give all there is to know of a picture's camera."""
        camera = self._rule.camera_of(picture)
        known = self._deployments.of(camera, picture.taken_at) if camera is not None else None
        return Placement(camera, known)

    def require_places(self, pictures: Iterable[Picture]) -> None:
        """Raise `CamerasWithoutPlace`, naming them, unless the place of every picture is known."""
        lacking = {self._label(p) for p in pictures if self.placement(p).place is None}
        if lacking:
            raise CamerasWithoutPlace(sorted(lacking))

    def require_timezones(self, pictures: Iterable[Picture]) -> None:
        """Raise `CamerasWithoutTimezone`, naming them, unless the time zone of every picture is known."""
        lacking = {self._label(p) for p in pictures if self.placement(p).timezone is None}
        if lacking:
            raise CamerasWithoutTimezone(sorted(lacking))

    def _label(self, picture: Picture) -> str:
        """Name a picture's camera and, where it has deployments and this is in none, say so."""
        found = self.placement(picture)
        if found.camera is None:
            return "(pictures without a camera)"
        if found.deployment is not None or not self._deployments.has(found.camera):
            return found.camera
        return f"{found.camera} ({'outside its periods' if picture.taken_at else 'pictures without a time'})"


@dataclass(slots=True)
class CameraSeen:
    """One camera as the pictures show it.

    Attributes:
        first, last: camera times; None when no picture has one.
        folders: paths of the folders of that name, without those that cameras and calendars name;
            empty text where the name is no folder's.
    """

    camera: str
    pictures: int = 0
    first: datetime | None = None
    last: datetime | None = None
    folders: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CamerasSeen:
    """All cameras that the pictures show, by name, and how many pictures show none."""

    cameras: tuple[CameraSeen, ...]
    without_camera: int

    @property
    def doubtful(self) -> tuple[CameraSeen, ...]:
        """Cameras whose pictures lie in several folders of that name: perhaps several cameras."""
        return tuple(seen for seen in self.cameras if len(seen.folders) > 1)


def infer_table(pictures: Iterable[Picture], rule: CameraRule) -> CamerasSeen:
    """Collect the cameras of pictures; they are read once and not kept."""
    found: dict[str, CameraSeen] = {}
    without = 0
    for picture in pictures:
        camera = rule.camera_of(picture)
        if camera is None:
            without += 1
        else:
            _add(found.setdefault(camera, CameraSeen(camera)), picture)
    return CamerasSeen(tuple(found[camera] for camera in sorted(found)), without)


def deployments_csv(seen: CamerasSeen) -> str:
    """Give the table of deployments to fill in, with three further columns of what the pictures show."""
    file = io.StringIO()
    out = csv.writer(file)
    out.writerow([*COLUMNS, "first_picture", "last_picture", "pictures"])
    for camera in seen.cameras:
        blank = [""] * (len(COLUMNS) - 1)
        out.writerow([camera.camera, *blank, _written(camera.first), _written(camera.last), camera.pictures])
    return file.getvalue()


def write_deployments(path: Path, seen: CamerasSeen) -> None:
    """Write the table to a new file, in UTF-8 with the mark by which spreadsheets know it.

    Raises:
        OutputNotWritable: it cannot be written, or is there already: somebody may have filled it in.
    """
    try:
        with path.open("x", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            file.write(deployments_csv(seen))
    except OSError as error:
        raise OutputNotWritable(f"cannot write {path.name}: {error.strerror}") from error


def _folders(name: str) -> list[str]:
    return name.split("/")[:-1]


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise InvalidRequest(
            f"expected a regular expression, {expression!r}: {error}", param="camera"
        ) from error


def _add(seen: CameraSeen, picture: Picture) -> None:
    seen.pictures += 1
    seen.folders.add(_folder_of(seen.camera, picture))
    if picture.taken_at is not None:
        seen.first = min(seen.first or picture.taken_at, picture.taken_at)
        seen.last = max(seen.last or picture.taken_at, picture.taken_at)


def _folder_of(camera: str, picture: Picture) -> str:
    """Path of the innermost folder that is called as the camera."""
    left = list(lasting(_folders(picture.name)))
    while left and left[-1] != camera:
        left.pop()
    return "/".join(left)


def _written(time: datetime | None) -> str:
    return time.isoformat(" ", "seconds") if time else ""
