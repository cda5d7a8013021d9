"""The real application around networks that see one red fox in every picture."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.settings import Settings
from tests.unit.dialects.foxes import fox_service


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(home=tmp_path, max_body_bytes=2_000_000)
    with TestClient(build_app(settings, fox_service(tmp_path))) as test_client:
        yield test_client
