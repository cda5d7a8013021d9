"""Parts of a card: what a person gives, laid over what was read from the file."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from okapia.domain.errors import ModelError
from okapia.models.card import CropResize, ModelCard, Preprocessing, View

Fragment = Mapping[str, object]
"""Some keys of a card, sections as inner mappings, as TOML would give them."""

_SECTIONS: Mapping[str, type[BaseModel]] = {"preprocessing": Preprocessing, "view": View}


def read_partial_card(path: Path) -> Fragment:
    """Read a card file that may leave out what the network's own file tells.

    Raises:
        ModelError: not to be read, not TOML, or a key that no card has; values are checked later, with
            the rest of the card.
    """
    try:
        fragment = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not TOML: {error}") from error
    if "source" in fragment:
        raise ModelError(f"{path}: the section `source` is for models that come in a package")
    _refuse_unknown(fragment, ModelCard, path, prefix="")
    for name, section in _SECTIONS.items():
        _refuse_unknown(part(fragment, name), section, path, prefix=f"{name}.")
    _refuse_unknown(part(part(fragment, "preprocessing"), "crop"), CropResize, path, prefix="crop.")
    return fragment


def part(fragment: Fragment, name: str) -> Fragment:
    """Give a section; an empty one when it is not there or no section."""
    section = fragment.get(name)
    return section if isinstance(section, Mapping) else {}


def has(fragment: Fragment, key: str) -> bool:
    """Say whether a key is given; `preprocessing.layout` is a key of a section."""
    section, _, name = key.rpartition(".")
    return name in (part(fragment, section) if section else fragment)


def merged(below: Fragment, above: Fragment) -> Fragment:
    """Lay one part over another; sections are merged, all else is replaced."""
    sections = {
        name: {**part(below, name), **part(above, name)}
        for name in _SECTIONS
        if name in above or name in below
    }
    return {**below, **above, **sections}


def completed(fragment: Fragment, *, origin: str) -> ModelCard:
    """Make a card of all its parts.

    Args:
        origin: the network's file, for messages.

    Raises:
        ModelError: a key is missing or out of range; the message names all of them.
    """
    try:
        return ModelCard.model_validate(fragment)
    except ValidationError as error:
        problems = (f"{_place(entry['loc'])}: {entry['msg']}" for entry in error.errors())
        raise ModelError(f"the card of {origin}: {'; '.join(problems)}") from error


def _place(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location)) or "card"


def _refuse_unknown(fragment: Fragment, model: type[BaseModel], path: Path, *, prefix: str) -> None:
    unknown = [prefix + key for key in fragment if key not in model.model_fields]
    if unknown:
        raise ModelError(f"{path}: no card has the key {', '.join(unknown)}")
