"""A world of squares in Natural Earth's form, packed as the package that carries the real one."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from okapia.models.card import Member, Source

Box = tuple[float, float, float, float]
"""(west, south, east, north) in degrees."""

MEMBER = "package/data/states/admin1.json"

WORLD: tuple[tuple[str, str, str, tuple[Box, ...]], ...] = (
    ("US", "US-CA", "California", ((0, 0, 10, 10),)),
    ("US", "US-NV", "Nevada", ((10, 0, 20, 10),)),
    ("MX", "MX-SON", "Sonora", ((0, -10, 20, 0),)),
    ("PR", "US-PR", "Puerto Rico", ((40, 0, 41, 1),)),
    ("FR", "FR-GF", "Guyane", ((60, 0, 61, 1),)),
    ("RU", "UA-43", "Crimea", ((70, 0, 71, 1),)),
    ("AU", "-99-X14~", "Christmas Island", ((80, 0, 81, 1),)),
    ("FJ", "FJ-N", "Northern", ((170, -20, 180, -10), (-180, -20, -175, -10))),
)


def geojson() -> bytes:
    """The squares as a FeatureCollection, pretty enough to have white space between its parts."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": [[_ring(box)] for box in boxes]},
            "properties": {"iso_a2": alpha2, "iso_3166_2": code, "name": name, "wikidataid": "Q1"},
        }
        for alpha2, code, name, boxes in WORLD
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1).encode()


def package(folder: Path, data: bytes) -> Source:
    """Write an npm package with `data` as its borders into a folder, and describe it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo(MEMBER)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    folder.mkdir(exist_ok=True)
    (folder / "squares-1.0.0.tgz").write_bytes(file.getvalue())
    return Source(
        kind="npm",
        package="squares",
        version="1.0.0",
        archive_sha256=hashlib.sha256(file.getvalue()).hexdigest(),
        archive_bytes=len(file.getvalue()),
        members=(Member(path=MEMBER, sha256=hashlib.sha256(data).hexdigest()),),
        converter="place_pack",
    )


def _ring(box: Box) -> list[tuple[float, float]]:
    west, south, east, north = box
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]
