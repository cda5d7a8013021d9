"""What other packages bring: found by their entry points, and named when they are broken."""

from pathlib import Path

import numpy as np
import pytest

from okapia.dialects.base import discover as discover_dialects
from okapia.domain.errors import InvalidRequest, InvalidSettings, ModelError
from okapia.formats.base import discover as discover_formats
from okapia.formats.base import format_named
from okapia.models.base import Tensor
from okapia.models.card import ModelCard
from okapia.models.families import build_classifier, build_detector, family_origin
from tests.unit.conftest import Install

DIALECTS, FAMILIES, FORMATS = "okapia.dialects", "okapia.models", "okapia.formats"

A_DIALECT = """
    from fastapi import APIRouter
    from okapia.dialects.base import Dialect

    plugin = Dialect("zebra", "a test", lambda context: APIRouter())
"""
A_FORMAT = """
    from okapia.formats.base import Format
    from okapia.formats.megadetector import result_format

    plugin = Format("zebra", "a test", ".zebra", result_format.writer)
"""
A_FAMILY = """
    from okapia.models.yolo import build as plugin
"""


class Silence:
    """A network that finds nothing."""

    input_shape = (1, 3, 64, 64)
    engine = "test"
    device = "cpu"
    precision = "f32"

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        assert batch.shape == self.input_shape
        return {"output": np.zeros((1, 5, 0), dtype=np.float32)}


def card(family: str) -> ModelCard:
    facts = {"id": "stripes", "title": "Stripes", "version": "1", "task": "detector", "family": family}
    shape = {"canvas": 64, "labels": ["zebra"], "preprocessing": {"resize": "stretch"}}
    return ModelCard.model_validate(facts | shape | {"licence": "MIT"})


def build(family: str) -> object:
    """Make a detector of a family."""
    return build_detector(card(family), Silence(), canvas=(64, 64), sha256="")


def test_a_dialect_of_another_package_comes_after_ours(install: Install) -> None:
    ours = discover_dialects()

    install("okapia-zebra", group=DIALECTS, point="zebra", code=A_DIALECT)

    assert [dialect.name for dialect in discover_dialects()] == [*(one.name for one in ours), "zebra"]


def test_a_format_of_another_package_is_had_by_its_name(install: Install) -> None:
    install("okapia-zebra", group=FORMATS, point="zebra", code=A_FORMAT)

    assert format_named("zebra").suffix == ".zebra"
    assert discover_formats()[-1] == format_named("zebra")


def test_a_format_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    known = "csv, jsonl, megadetector, parquet, speciesnet"
    with pytest.raises(InvalidRequest, match=f"expected a format of {known}, got 'zebra'"):
        format_named("zebra")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import a_library_that_is_not_there", "cannot be imported: No module named 'a_library_that_is"),
        ("raise RuntimeError('no stripes')", "cannot be imported: no stripes"),
        ("quagga = 1", "cannot be imported: .*has no attribute 'plugin'"),
        ("plugin = 'stripes'", "is no Dialect but a str"),
    ],
    ids=["lacks a library", "raises", "lacks the object", "is something else"],
)
def test_a_broken_dialect_stops_the_start_with_its_package_named(
    install: Install, code: str, complaint: str
) -> None:
    install("okapia-zebra", group=DIALECTS, point="zebra", code=code)

    with pytest.raises(InvalidSettings, match=f"the plug-in zebra of okapia-zebra 1.0 {complaint}"):
        discover_dialects()


def test_a_name_of_ours_cannot_be_taken_by_another_package(install: Install) -> None:
    install("okapia-atlas", group=DIALECTS, point="atlas", code=A_DIALECT.replace("zebra", "atlas"))

    with pytest.raises(InvalidSettings, match=r"two plug-ins of okapia\.dialects have the name 'atlas'"):
        discover_dialects()


def test_a_family_of_another_package_makes_models(install: Install) -> None:
    install("okapia-zebra", group=FAMILIES, point="zebra", code=A_FAMILY)

    assert type(build("zebra")) is type(build("yolo"))
    assert family_origin("zebra") == "okapia-zebra 1.0"
    assert family_origin("yolo") == "okapia"
    assert family_origin("quagga") == ""


def test_a_family_that_nobody_has_is_named_with_its_model() -> None:
    with pytest.raises(ModelError, match="stripes: there is no model family 'quagga'"):
        build("quagga")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("raise RuntimeError('no stripes')", "plug-in zebra of okapia-zebra 1.0 cannot be imported: no str"),
        ("plugin = 'stripes'", "family zebra of okapia-zebra 1.0 is no function"),
        ("def plugin(card, session): ...", "family zebra of okapia-zebra 1.0 makes no model: .*argument"),
        ("def plugin(*args, **kwargs): ...", "family zebra of okapia-zebra 1.0 makes no detector"),
    ],
    ids=["raises", "is something else", "takes something else", "makes something else"],
)
def test_a_broken_family_breaks_its_own_models_alone(install: Install, code: str, complaint: str) -> None:
    install("okapia-zebra", group=FAMILIES, point="zebra", code=code)

    with pytest.raises(ModelError, match=f"^stripes: the {complaint}"):
        build("zebra")
    assert build("yolo")


def test_a_family_makes_models_of_one_task() -> None:
    with pytest.raises(ModelError, match="stripes: the family yolo of okapia makes no classifier"):
        build_classifier(card("yolo"), Silence(), canvas=(64, 64), sha256="")


def test_a_family_of_ours_cannot_be_taken_over(install: Install) -> None:
    install("okapia-zebra", group=FAMILIES, point="yolo", code="raise RuntimeError('taken over')")

    assert build("yolo")


def test_a_family_that_two_packages_claim_is_neithers(install: Install) -> None:
    install("okapia-zebra", group=FAMILIES, point="striped", code=A_FAMILY)
    install("okapia-quagga", group=FAMILIES, point="striped", code=A_FAMILY)

    with pytest.raises(ModelError, match=r"claimed by okapia-[a-z]+ 1\.0 and by okapia-[a-z]+ 1\.0"):
        build("striped")


def test_a_module_that_lacks_a_library_is_no_family_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zebra.py").write_text("import a_library_that_is_not_there\n")
    monkeypatch.setattr("okapia.models.__path__", [str(tmp_path)])

    with pytest.raises(ModelError, match=r"okapia\.models\.zebra cannot be imported: No module named 'a_lib"):
        build("zebra")
