"""The real application behind a real socket, around networks that see one red fox in every picture."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from okapia.app import build_app
from okapia.client import Okapia
from okapia.settings import Settings
from tests.unit.dialects.foxes import fox_service


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a server that needs no key."""
    home: Path = tmp_path_factory.mktemp("home")
    app = build_app(Settings(home=home, max_body_bytes=2_000_000), fox_service(home))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def okapia(url: str) -> Iterator[Okapia]:
    with Okapia(url) as client:
        yield client
