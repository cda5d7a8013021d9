"""The zoo's record over HTTP: a list of archives, and downloads that go on where they stopped."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import httpx

from okapia import __version__
from okapia.domain.errors import PullFailed
from okapia.models.weights.zoo.download import (
    answer,
    append,
    check_md5,
    headers_after,
    md5_of,
    size_of,
    start_of,
    total_of,
)
from okapia.models.weights.zoo.patience import Patience
from okapia.models.weights.zoo.record import ZooArchive, choose, read_listing
from okapia.models.weights.zoo.source import Arrived, free_bytes_of

_ROOM = 2.2
"""Times an archive's size that must be free: itself and what it unpacks to (weights hardly shrink)."""
_MARGIN = 100_000_000
_MAX_LISTING = 16 << 20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class ZooServer:
    """Fetches archives of one record. What has arrived of one is kept in `<zip>.part`.

    Proxies and certificates are those of the environment (`HTTPS_PROXY`, `SSL_CERT_FILE`).
    """

    def __init__(
        self,
        archives: Path,
        *,
        base_url: str,
        record: str,
        patience: Patience | None = None,
        free_bytes: Callable[[Path], int] = free_bytes_of,
    ) -> None:
        """Keep archives in the folder `archives` until they are forgotten."""
        self._archives = archives
        self._base_url = base_url.rstrip("/")
        self._record = record
        self._patience = patience or Patience()
        self._free_bytes = free_bytes

    def find(self, model_id: str) -> ZooArchive:
        return choose(self._listing, model_id, where=self._name)

    def fetch(self, archive: ZooArchive, *, arrived: Arrived) -> Path:
        whole = self._archives / archive.file_name
        if whole.is_file() and md5_of(whole) == archive.md5:
            return whole
        part = whole.with_name(f"{whole.name}.part")
        try:
            self._archives.mkdir(parents=True, exist_ok=True)
            self._download(archive, part, arrived=arrived)
            check_md5(part, archive)
            part.replace(whole)
        except OSError as error:
            raise PullFailed(
                f"cannot write {part}: {error.strerror}; make room or point OKAPIA_HOME to another disk, "
                "the download goes on where it stopped"
            ) from error
        return whole

    def origin(self, archive: ZooArchive) -> str:
        del archive
        return f"zoo {self._record}"

    def forget(self, archive: ZooArchive) -> None:
        (self._archives / archive.file_name).unlink(missing_ok=True)

    @property
    def _name(self) -> str:
        return f"record {self._record}"

    @cached_property
    def _listing(self) -> list[ZooArchive]:
        url = f"{self._base_url}/api/records/{quote(self._record, safe='')}"
        with _client() as client:
            body = self._patience.keep_trying(
                lambda: _read(client, url, what=self._name), here=lambda: 0, what=self._name
            )
        return read_listing(body, record=self._record)

    def _download(self, archive: ZooArchive, part: Path, *, arrived: Arrived) -> None:
        if archive.n_bytes is not None and size_of(part) == archive.n_bytes:
            return  # killed between the last byte and the check
        with _client() as client:
            self._patience.keep_trying(
                lambda: self._go_on(client, archive, part, arrived=arrived),
                here=lambda: size_of(part),
                what=archive.file_name,
            )

    def _go_on(self, client: httpx.Client, archive: ZooArchive, part: Path, *, arrived: Arrived) -> None:
        """Ask for the bytes behind those that are here, and append them."""
        url = f"{self._base_url}/records/{quote(self._record, safe='')}/files/{quote(archive.file_name)}"
        headers = headers_after(size_of(part))
        with answer(client, url, headers=headers, what=archive.file_name) as response:
            start = start_of(response, part)
            total = total_of(response, archive, start=start)
            self._check_room(archive, total, here=start)
            append(response, part, start=start, total=total, arrived=arrived)

    def _check_room(self, archive: ZooArchive, total: int, *, here: int) -> None:
        needed, free = int(_ROOM * total) - here + _MARGIN, self._free_bytes(self._archives)
        if free < needed:
            raise PullFailed(
                f"{archive.model_id} needs {needed:,} free bytes below {self._archives}, there are {free:,}; "
                "make room or point OKAPIA_HOME to another disk"
            )


def _read(client: httpx.Client, url: str, *, what: str) -> bytes:
    """Give the whole body of a small answer."""
    body = bytearray()
    with answer(client, url, headers={"Accept": "application/json"}, what=what) as response:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MAX_LISTING:
                raise PullFailed(f"{what}: expected a list of files, got more than {_MAX_LISTING:,} bytes")
    return bytes(body)


def _client() -> httpx.Client:
    try:
        return httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, headers={"User-Agent": f"okapia/{__version__}"}
        )
    except (ValueError, ImportError) as error:  # a proxy that is no URL, or SOCKS without its package
        raise PullFailed(f"the proxy that the environment names cannot be used: {error}") from error
