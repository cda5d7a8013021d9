"""A zoo on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from okapia.models.card import ModelCard
from okapia.models.weights.pull import PullEvent
from okapia.models.weights.store import ModelStore
from okapia.models.weights.zoo.patience import Patience
from okapia.models.weights.zoo.server import ZooServer
from okapia.models.weights.zoo.source import ZooSource, free_bytes_of
from okapia.models.weights.zoo.zoo import Zoo
from tests.unit.models.weights.zoo.folders import CLASSIFIER, DETECTOR, classifier, detector, zip_name, zipped
from tests.unit.models.weights.zoo.record_server import RECORD, Host, serving


@dataclass
class Visitor:
    """Somebody with an empty home, and what their pulls said and checked."""

    home: Path
    events: list[PullEvent] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.home / "models")

    @property
    def archives(self) -> Path:
        return self.home / "archives"

    def server(self, host: Host, *, free_bytes: int | None = None) -> ZooServer:
        return ZooServer(
            self.archives,
            base_url=host.url,
            record=RECORD,
            patience=Patience(pauses_s=(1.0, 3.0), sleep=self.slept.append),
            free_bytes=free_bytes_of if free_bytes is None else lambda _: free_bytes,
        )

    def zoo(self, source: ZooSource) -> Zoo:
        return Zoo(self.store, source=source, check=self._check, on_event=self.events.append)

    def files(self) -> list[str]:
        """What lies in the home, relative to it."""
        return sorted(
            path.relative_to(self.home).as_posix() for path in self.home.rglob("*") if path.is_file()
        )

    def _check(self, card: ModelCard, network: Path) -> None:
        assert network.is_file()
        self.checked.append(card.id)


@pytest.fixture(autouse=True)
def _straight_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask this machine's servers without the proxy that it may have."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,zoo.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1,zoo.invalid")


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path / "home")


@pytest.fixture
def host() -> Iterator[Host]:
    """Give a record with the two models of the profile `field`."""
    files = {
        zip_name(DETECTOR): zipped(DETECTOR, detector()),
        zip_name(CLASSIFIER, "classifier"): zipped(CLASSIFIER, classifier()),
    }
    with serving(Host(files=files)) as host:
        yield host
