"""A person's card may say only what the file does not; a key that no card has is refused."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelError
from okapia.models.weights.own.partial import has, merged, read_partial_card


def write(folder: Path, text: str) -> Path:
    path = folder / "okapi.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_may_leave_out_what_the_file_tells(tmp_path: Path) -> None:
    fragment = read_partial_card(write(tmp_path, 'licence = "MIT"\n[preprocessing]\nstd = 255\n'))

    assert fragment == {"licence": "MIT", "preprocessing": {"std": 255}}
    assert has(fragment, "preprocessing.std")
    assert not has(fragment, "preprocessing.mean")
    assert not has(fragment, "view.shape")


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("lisence = 'MIT'", "no card has the key lisence"),
        ("[preprocessing]\nsdt = 255", r"no card has the key preprocessing\.sdt"),
        ("[view]\nshpae = 'box'", r"no card has the key view\.shpae"),
        ("[preprocessing.crop]\nsize = 224", r"no card has the key crop\.size"),
        ("[source]\nkind = 'pypi'", "for models that come in a package"),
        ("licence = ", "is not TOML"),
    ],
)
def test_a_card_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, fact: str) -> None:
    with pytest.raises(ModelError, match=rf"okapi\.toml.* {fact}"):
        read_partial_card(write(tmp_path, text))


def test_sections_are_merged_and_all_else_is_replaced() -> None:
    below = {"labels": ["okapi", "bongo"], "preprocessing": {"std": 255, "channels": "rgb"}}
    above = {"labels": ["kudu"], "preprocessing": {"channels": "bgr"}, "view": {"shape": "box"}}

    assert merged(below, above) == {
        "labels": ["kudu"],
        "preprocessing": {"std": 255, "channels": "bgr"},
        "view": {"shape": "box"},
    }
