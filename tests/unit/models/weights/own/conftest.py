"""Fixtures for a person's own networks: a real engine, a real store, and a place to drop files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.own.observe import observe
from okapia.models.weights.own.partial import Fragment
from okapia.models.weights.own.recognise import Proposal, recognise
from okapia.models.weights.pull import OpenSession
from okapia.models.weights.store import ModelStore

Drop = Callable[[bytes], Path]
Propose = Callable[[bytes, Fragment], Proposal]


@pytest.fixture(scope="session")
def open_session() -> OpenSession:
    return Runtime(EngineChoice(), load=Load(), cores=1).open


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(ModelStore(tmp_path / "models"))


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    """Gives a function that writes a network as a person would bring it."""

    def write(network: bytes) -> Path:
        path = tmp_path / "My Okapis v2.onnx"
        path.write_bytes(network)
        return path

    return write


@pytest.fixture
def propose(drop: Drop, open_session: OpenSession) -> Propose:
    """Gives a function from a network, and what a person said of it, to the proposed card."""

    def run(network: bytes, given: Fragment) -> Proposal:
        return recognise(observe(inspect(drop(network)), open_session, given=given), given=given)

    return run
