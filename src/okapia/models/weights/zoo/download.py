"""One answer of an HTTP server, appended to what is here already."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from okapia.domain.errors import PullFailed
from okapia.models.weights.zoo.patience import Interrupted
from okapia.models.weights.zoo.record import CONCEPT_DOI, ZooArchive
from okapia.models.weights.zoo.source import Arrived

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?:\d+|\*)")


@contextmanager
def answer(
    client: httpx.Client, url: str, *, headers: Mapping[str, str], what: str
) -> Iterator[httpx.Response]:
    """Ask for `url` and give the answer while its body streams, if it is a good one.

    Args:
        what: names the thing that is fetched, for the message.

    Raises:
        PullFailed: it is gone or refused, or the address is not one; trying again is useless.
        Interrupted, httpx.TransportError: trying again may help.
    """
    try:
        with client.stream("GET", url, headers=headers) as response:
            _refuse(response, what=what)
            yield response
    except (
        httpx.InvalidURL,
        httpx.UnsupportedProtocol,
        httpx.TooManyRedirects,
        httpx.DecodingError,
    ) as error:
        raise PullFailed(f"{what}: {error}; is OKAPIA_ZOO_URL right?") from error


def _refuse(response: httpx.Response, *, what: str) -> None:
    status, host = response.status_code, response.url.host
    if status in {404, 410}:
        raise PullFailed(
            f"{what} is not there any more (HTTP {status} of {host}); set OKAPIA_ZOO_RECORD to the newest "
            f"record: the concept DOI {CONCEPT_DOI} leads to it"
        )
    if status == 429 or status >= 500:
        raise Interrupted(f"{host} answered HTTP {status}")
    if status not in {200, 206, 416}:
        raise PullFailed(f"{what}: expected HTTP 200, {host} answered HTTP {status}")


def headers_after(here: int) -> dict[str, str]:
    """Give the headers that ask for the bytes behind the first `here`."""
    # Bytes as they are stored: a compressed answer could not be continued.
    return {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})


def start_of(response: httpx.Response, part: Path) -> int:
    """Say at which byte of the archive an answer begins: behind `part`, or 0 where ranges are ignored.

    Raises:
        Interrupted: it fits neither; `part` is removed, so that the next try starts anew.
    """
    if response.status_code == 200:
        return 0
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code == 206 and match and int(match["start"]) == size_of(part):
        return size_of(part)
    part.unlink(missing_ok=True)
    raise Interrupted("the server could not continue what had arrived")


def total_of(response: httpx.Response, archive: ZooArchive, *, start: int) -> int:
    """Give the archive's size.

    Raises:
        PullFailed: nobody says it, or the server and the record differ.
    """
    length = response.headers.get("Content-Length", "")
    announced = start + int(length) if length.isdecimal() else None
    total = archive.n_bytes if archive.n_bytes is not None else announced
    if total is None:
        raise PullFailed(f"{archive.file_name}: neither the record nor the server says how large it is")
    if announced is not None and announced != total:
        raise PullFailed(
            f"{archive.file_name}: expected {total:,} bytes as the record says, the server has "
            f"{announced:,}; try again, or set OKAPIA_ZOO_RECORD to the newest record"
        )
    return total


def append(response: httpx.Response, part: Path, *, start: int, total: int, arrived: Arrived) -> None:
    """Write the answer's body behind the first `start` bytes of `part`.

    Raises:
        PullFailed: more than `total` bytes came.
        Interrupted: fewer came.
        OSError: the disk refuses.
    """
    here = start
    with part.open("ab" if start else "wb") as file:
        for chunk in response.iter_raw():
            here += len(chunk)
            if here > total:
                raise PullFailed(f"{part.stem}: expected {total:,} bytes, got more")
            file.write(chunk)
            arrived(here, total)
    if here != total:
        raise Interrupted(f"expected {total:,} bytes, got {here:,}")


def check_md5(part: Path, archive: ZooArchive) -> None:
    """Compare what arrived with the record, and remove it where they differ.

    Raises:
        PullFailed: they differ; the message names both.
    """
    actual = md5_of(part)
    if archive.md5 is not None and actual != archive.md5:
        part.unlink()
        raise PullFailed(
            f"{archive.file_name}: expected md5 {archive.md5}, got {actual}; it was altered on the way "
            "and is removed: pull again"
        )


def md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # what the record gives; the network has a SHA-256 of its own
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Give a file's size in bytes; 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
