"""What a record of the zoo holds: its archives, their sizes and checksums."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from okapia.domain.errors import PullFailed

CONCEPT_DOI = "10.5281/zenodo.20348978"
"""Always leads to the newest record."""

_NAME = re.compile(r"[A-Za-z0-9_-]+?__[A-Za-z0-9_-]+?__(?P<id>[A-Za-z0-9][A-Za-z0-9._-]*)\.zip")
"""`<domain>__<task>__<id>.zip`."""


@dataclass(frozen=True, slots=True)
class ZooArchive:
    """One model's ZIP.

    Attributes:
        n_bytes: None when the record does not say.
        md5: None when there is no record to ask.
    """

    model_id: str
    file_name: str
    n_bytes: int | None = None
    md5: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    checksum: str
    size: Annotated[int, Field(ge=0)] | None = None


class _Listing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    files: tuple[_File, ...]


def read_listing(body: bytes, *, record: str) -> list[ZooArchive]:
    """Read the record API's answer; files that are no model's archive are left out.

    Raises:
        PullFailed: it is not what the API answers, or an archive has no MD5.
    """
    try:
        listing = _Listing.model_validate_json(body)
    except ValidationError as error:
        raise PullFailed(
            f"record {record}: expected a list of files with key and checksum, got something else "
            "(is OKAPIA_ZOO_URL right, or does the network ask you to sign in?)"
        ) from error
    return [
        ZooArchive(model_id, file.key, n_bytes=file.size, md5=_md5(file))
        for file in listing.files
        if (model_id := model_id_of(file.key))
    ]


def model_id_of(file_name: str) -> str | None:
    """Give the model that an archive is named after; None for any other file."""
    match = _NAME.fullmatch(file_name)
    return match["id"] if match else None


def choose(archives: Sequence[ZooArchive], model_id: str, *, where: str) -> ZooArchive:
    """Give the archive of a model.

    Raises:
        PullFailed: there is none; the message names ids that are nearly the same.
    """
    for archive in archives:
        if archive.model_id == model_id:
            return archive
    near = difflib.get_close_matches(model_id, [archive.model_id for archive in archives])
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise PullFailed(
        f"{where} has no archive <domain>__<task>__{model_id}.zip among its {len(archives)} models{hint}; "
        "`okapia models search` lists the names"
    )


def _md5(file: _File) -> str:
    algorithm, _, digest = file.checksum.lower().partition(":")
    if algorithm != "md5" or not re.fullmatch("[0-9a-f]{32}", digest):
        raise PullFailed(f"{file.key}: expected the checksum md5:<32 hex digits>, got {file.checksum!r}")
    return digest
