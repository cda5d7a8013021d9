"""Fixed, open and absent batches; open sides of every name; answers that differ in length."""

from pathlib import Path

import numpy as np
import pytest

from okapia.domain.errors import ModelError
from okapia.models.base import Session
from okapia.models.rows import Shape
from okapia.models.runtime import EngineChoice, Load, Runtime
from tests.unit.models.odd_networks import ROW, SIDE, Sides, bright_places, every_engine, means, picture


def opened(network: Path, choice: EngineChoice, *, row: Shape = ROW) -> Session:
    return Runtime(choice, load=Load(), cores=1).open(network, row)


@every_engine
@pytest.mark.parametrize(
    "sides",
    [
        ("N", 3, "H", "W"),
        ("batch", 3, "height", "width"),
        ("?", 3, "?", "?"),
        (None, 3, None, None),
        ("N", 3, "side", "side"),
        ("d", "d", "d", "d"),
        ("N", "C", "H", "W"),
        (1, 3, "H", SIDE),
        None,
    ],
)
def test_open_sides_of_every_name_load_and_answer(tmp_path: Path, choice: EngineChoice, sides: Sides) -> None:
    session = opened(means(tmp_path / "open.onnx", sides=sides, answer=None), choice)
    batch = picture(3)

    answer = session.run(batch)["means"]

    assert session.input_shape[1:] == ROW[1:]
    assert answer == pytest.approx(batch.mean(axis=(2, 3)), rel=1e-4)


@every_engine
@pytest.mark.parametrize("fixed", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_rows_fits_a_fixed_batch(
    tmp_path: Path, choice: EngineChoice, fixed: int, count: int
) -> None:
    network = means(tmp_path / "fixed.onnx", sides=(fixed, 3, SIDE, SIDE), answer=(fixed, 3))
    batch = picture(count)

    answer = opened(network, choice).run(batch)["means"]

    assert answer == pytest.approx(batch.mean(axis=(2, 3)), rel=1e-4)


@pytest.mark.parametrize(
    ("sides", "answer", "rows"),
    [
        (("N", 3, "H", "W"), ("N", 3), None),
        (("N", 3, "H", "W"), ("M", 3), 1),
        (("N", 3, "H", "W"), (1, 3), 1),
        (("?", 3, 8, 8), ("?", 3), 1),
        (("d", 3, "d", "d"), ("d", 3), 1),
        ((4, 3, 8, 8), (4, 3), 4),
        ((1, 3, 8, 8), (1, 3), 1),
    ],
)
def test_a_batch_is_used_only_where_every_output_goes_by_it(
    tmp_path: Path, sides: Sides, answer: Sides, rows: int | None
) -> None:
    session = opened(means(tmp_path / "batch.onnx", sides=sides, answer=answer), EngineChoice())

    assert session.input_shape == (rows, *ROW[1:])


@every_engine
def test_sides_that_differ_from_picture_to_picture_stay_open(tmp_path: Path, choice: EngineChoice) -> None:
    session = opened(means(tmp_path / "open.onnx"), choice, row=(1, 3, None, None))
    small, large = picture(side=5), picture(side=9)

    answers = [session.run(batch)["means"] for batch in (small, large)]

    assert session.input_shape[1:] == (3, None, None)
    assert answers == [pytest.approx(batch.mean(axis=(2, 3)), rel=1e-4) for batch in (small, large)]


@every_engine
def test_a_network_of_fixed_sides_is_refused_where_they_have_to_be_open(
    tmp_path: Path, choice: EngineChoice
) -> None:
    network = means(tmp_path / "fixed.onnx", sides=ROW, answer=(1, 3))

    with pytest.raises(ModelError, match=r"fixed\.onnx: .*expected rows of \(1, 3, any, any\)"):
        opened(network, choice, row=(1, 3, None, None))


@every_engine
def test_channels_may_come_last(tmp_path: Path, choice: EngineChoice) -> None:
    network = means(tmp_path / "last.onnx", sides=("N", "H", "W", 3), axes=(1, 2))
    batch = np.ascontiguousarray(picture(2).transpose(0, 2, 3, 1))

    answer = opened(network, choice, row=(1, SIDE, SIDE, 3)).run(batch)["means"]

    assert answer == pytest.approx(batch.mean(axis=(1, 2)), rel=1e-4)


@every_engine
@pytest.mark.parametrize("sides", [ROW, ("N", 3, "H", "W")])
@pytest.mark.parametrize("bright", [0, 1, 5])
def test_an_answer_without_a_batch_comes_back_as_it_is(
    tmp_path: Path, choice: EngineChoice, sides: Sides, bright: int
) -> None:
    session = opened(bright_places(tmp_path / "places.onnx", sides=sides), choice)
    batch = np.zeros(ROW, dtype=np.float32)
    batch[0, 1, 2, :bright] = 1

    places = session.run(batch)["places"]

    assert places.tolist() == [[0, 1, 2, column] for column in range(bright)]
    assert places.dtype == np.float32


@every_engine
def test_several_rows_at_once_are_refused_where_the_answer_has_no_batch(
    tmp_path: Path, choice: EngineChoice
) -> None:
    session = opened(bright_places(tmp_path / "places.onnx"), choice)

    with pytest.raises(ModelError, match=r"places\.onnx: output places .*run them one by one"):
        session.run(np.ones((2, *ROW[1:]), dtype=np.float32))
