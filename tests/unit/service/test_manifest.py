"""What made a results file, written into it and read back."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from okapia.domain.clips import FrameRule
from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.domain.types import AnalysisOptions, Smooth, Where
from okapia.service import Service
from okapia.service.manifest import Manifest
from tests.unit.dialects.foxes import fox_service

CHOICE = ModelChoice("one-fox", "fox-namer", tiles=2)
OPTIONS = AnalysisOptions(0.3, where=Where("USA", "CA"), smooth=Smooth.IMAGE, frames=FrameRule(2.0))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = fox_service(tmp_path)
    yield service
    service.close()


def test_it_comes_back_from_a_file_as_it_was(service: Service) -> None:
    manifest = Manifest.of(service, CHOICE, OPTIONS, keep_above=0.05, top_k=3)

    again = Manifest.read(orjson.loads(orjson.dumps(manifest.as_json())))

    assert again == manifest
    assert (again.choice, again.options) == (CHOICE, OPTIONS)
    assert [report.model_id for report in again.models] == ["one-fox", "fox-namer"]


@pytest.mark.parametrize("document", [None, {}, [], {"okapia_version": "0.1.0"}])
def test_what_is_no_manifest_is_refused(document: object) -> None:
    with pytest.raises(InvalidRequest, match="Okapia's manifest"):
        Manifest.read(document)
