"""The zoo's models by name, and whose licence a person has to agree to first."""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from okapia.domain.errors import LicenceNotAccepted
from okapia.domain.types import Size

UNKNOWN_LICENCE = "unknown licence"

_FREE = {
    "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0",
}  # fmt: skip
"""Asks nothing of somebody who runs a model and publishes what it found, beyond naming its makers."""


class ZooEntry(BaseModel):
    """What is known of a model of the zoo before it is fetched.

    Attributes:
        area: where it was made for; empty when everywhere or unknown.
        regions: further names of that place, for the search.
        classes: number of its labels, where the catalogue says so.
        canvas: the network's input in pixels, where the catalogue says so.
        names_species: a detector whose labels are taxa.
        commercial: its licence allows use for money.
        recommended: what to try first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task: Literal["detector", "classifier"]
    licence: str
    area: str = ""
    regions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    classes: Annotated[int, Field(gt=0)] | None = None
    canvas: Size | None = None
    names_species: bool = False
    commercial: bool = True
    recommended: bool = False
    notes: str = ""


@cache
def entries() -> tuple[ZooEntry, ...]:
    """Give the models that are known by name, in the order of the table."""
    text = (resources.files("okapia.models.weights.zoo") / "zoo.toml").read_text(encoding="utf-8")
    return tuple(ZooEntry.model_validate(row) for row in tomllib.loads(text)["model"])


def entry(model_id: str) -> ZooEntry | None:
    """Give the model called so, in whatever case, or by an alias; None when the table has none."""
    name = model_id.casefold()
    for known in entries():
        if name in (other.casefold() for other in (known.id, *known.aliases)):
            return known
    return None


def search(text: str) -> list[ZooEntry]:
    """Give the models that have every word of `text` in their id, place, task, licence or notes.

    Case does not matter and a part of a word is enough; recommended ones come first. No word
    finds everything.
    """
    words = text.casefold().split()
    found = [known for known in entries() if all(word in _said_of(known) for word in words)]
    return sorted(found, key=lambda known: not known.recommended)


def _said_of(known: ZooEntry) -> str:
    """Everything that a search looks at, hyphens and underscores also as spaces."""
    flags = {
        "recommended": known.recommended,
        "species": known.names_species or known.task == "classifier",
        "commercial" if known.commercial else "non-commercial": True,
    }
    places = (known.area, *known.regions)
    said = (known.id, *known.aliases, known.task, known.licence, *places, known.notes)
    text = " ".join((*said, *(name for name, is_so in flags.items() if is_so)))
    return f"{text} {re.sub('[-_]', ' ', text)}".casefold()


def licence_of(model_id: str) -> str:
    """Give the licence that the zoo's catalogue states, or `UNKNOWN_LICENCE`."""
    known = entry(model_id)
    return known.licence if known else UNKNOWN_LICENCE


def needs_acceptance(licence: str) -> bool:
    """Say whether a licence binds the person who uses the model: copyleft, non-commercial, or unknown."""
    return not all(part in _FREE for part in licence.split(" and "))


def require_acceptance(model_id: str, *, accepted: bool, command: str) -> str:
    """Give the licence of a model that may be installed.

    Args:
        command: what installs it, without `--accept-licence`.

    Raises:
        LicenceNotAccepted: it needs to be accepted, and was not.
    """
    licence = licence_of(model_id)
    if needs_acceptance(licence) and not accepted:
        raise LicenceNotAccepted(model_id, licence=licence, command=f"{command} --accept-licence")
    return licence
