"""A small server to send frames to."""

from collections.abc import Iterator

import pytest

from tests.unit.examples.gateway import Gateway, gateway_listening


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with gateway_listening() as gateway:
        yield gateway
