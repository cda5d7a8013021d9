"""The reference pages name everything that exists."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.domain.errors import OkapiaError
from okapia.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def errors(cls: type[OkapiaError] = OkapiaError) -> Iterator[type[OkapiaError]]:
    for child in cls.__subclasses__():
        yield child
        yield from errors(child)


@pytest.mark.parametrize("code", sorted({error.code for error in errors()}))
def test_every_error_code_is_explained(code: str) -> None:
    assert f"| `{code}` |" in (REFERENCE / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained(name: str) -> None:
    assert f"| `{name}` |" in (REFERENCE / "settings.md").read_text(encoding="utf-8")
