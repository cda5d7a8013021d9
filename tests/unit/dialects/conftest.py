"""The real application around networks that see one red fox in every picture."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app, desk_options
from okapia.service import Service
from okapia.service.desk import Desk
from okapia.settings import Settings
from tests.unit.dialects.foxes import fox_service

DeskFor = Callable[[Service], Desk]


@pytest.fixture
def desk_for(tmp_path: Path) -> Iterator[DeskFor]:
    """Give a function that opens a desk around a service; it is closed after the test."""
    with ExitStack() as opened:

        def open_desk(service: Service) -> Desk:
            desk = Desk(service, desk_options(Settings(home=tmp_path)))
            opened.callback(desk.close)
            return desk

        yield open_desk


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(home=tmp_path, max_body_bytes=2_000_000)
    app = build_app(settings, fox_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as test_client:
        yield test_client
