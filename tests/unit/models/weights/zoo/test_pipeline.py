"""A cascade is one or two detectors and at most one classifier."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelChoice
from okapia.models.weights.zoo.pipeline import read_pipeline
from tests.unit.models.weights.zoo.folders import write_folder

D, C = ('role = "detector"\nmodel = "{}"', 'role = "classifier"\nmodel = "{}"')


def read(tmp_path: Path, *steps: str, name: str = "watch") -> ModelChoice:
    text = f'[pipeline]\nid = "{name}"\n' + "".join(f"[[pipeline.steps]]\n{step}\n" for step in steps)
    return read_pipeline(write_folder(tmp_path, "watch", {"pipeline.toml": text.encode()}))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((D.format("fox"), C.format("owl")), ModelChoice("fox", "owl")),
        ((D.format("fox"),), ModelChoice("fox", None)),
        ((D.format("fox"), D.format("hen"), C.format("owl")), ModelChoice("fox+hen", "owl")),
    ],
)
def test_steps_become_a_choice(tmp_path: Path, steps: tuple[str, ...], expected: ModelChoice) -> None:
    assert read(tmp_path, *steps) == expected


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ((C.format("owl"),), "got 0 and 1"),
        ((D.format("fox"), C.format("owl"), C.format("elk")), "got 1 and 2"),
        ((D.format("../fox"),), "steps.0.model"),
        (('role = "poet"\nmodel = "fox"',), "steps.0.role"),
        ((), "steps: Field required"),
    ],
)
def test_other_cascades_are_refused(tmp_path: Path, steps: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        read(tmp_path, *steps)


def test_a_pipeline_of_another_name_than_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected the id 'watch', as the folder, got 'clock'"):
        read(tmp_path, D.format("fox"), name="clock")
