"""Into which files the pictures of a batch go, when not all go into one."""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from okapia.batches.batch import ShardFile
from okapia.batches.results import BatchResults
from okapia.pipeline.cameras import DeepestFolder, Picture
from okapia.service.batch_request import Split

PartOf = Callable[[str], str]
"""Gives the name of the part that a picture goes into, by the picture's own."""

_FOLDERS_KNOWN = 65_536
_ODD = re.compile(r"[^A-Za-z0-9]+")
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures that go into the same files.

    Attributes:
        name: of the folder or camera; empty for all pictures, and for those that no folder names one for.
        plain_name: ASCII letters, digits and `-`, that no other part has, in whichever case; empty for all.
        places: of the shards' files that hold such pictures, from 0 and in order.
    """

    name: str
    plain_name: str
    places: Sequence[int] = ()


def part_rule(split: Split, *, address: str) -> PartOf:
    """Give the rule of a split.

    Args:
        address: that the pictures lie below; its last folder is their camera where they lie in no other.
    """
    if split is Split.WHOLE:
        return lambda _: ""
    cameras = DeepestFolder(PurePosixPath(urlsplit(address).path).name)

    @lru_cache(_FOLDERS_KNOWN)
    def part_of_folder(folder: str) -> str:
        if split is Split.FOLDER:
            return folder.partition("/")[0]
        return cameras.camera_of(Picture(f"{folder}/")) or ""

    return lambda name: part_of_folder(_path(name).rpartition("/")[0])


def find_parts(results: BatchResults, files: Iterable[ShardFile], part_of: PartOf) -> list[Part]:
    """Find the parts, in the order of the listing; of the shards' files the names alone are read."""
    found: dict[str, array[int]] = {}
    for place, file in enumerate(files):
        for name in dict.fromkeys(map(part_of, results.names(file))):
            found.setdefault(name, array("L")).append(place)
    return [
        Part(name, plain_name, places)
        for (name, places), plain_name in zip(found.items(), _plain(found), strict=True)
    ]


def _plain(names: Iterable[str]) -> Iterator[str]:
    taken = {"failures"}  # as the list of all failures is called
    for number, name in enumerate(names, 1):
        wanted = _ODD.sub("-", name)[:_LONGEST].strip("-") or "rest"
        numbered = (f"{wanted}-{n}" for n in count(number))
        plain = next(one for one in chain([wanted], numbered) if one.lower() not in taken)
        taken.add(plain.lower())
        yield plain


def _path(name: str) -> str:
    """Give a name without the scheme and the host that it may begin with."""
    _, is_url, rest = name.partition("://")
    return rest.partition("/")[2] if is_url else name
