"""`okapia storage`: secrets come by standard input, and never come back."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from okapia.cli.main import app
from okapia.database.opening import open_database
from okapia.domain.errors import InvalidRequest
from okapia.domain.refusals import NameTaken
from okapia.service.storages import UnknownStorage, open_storages
from okapia.storage.cloud_secret import AccessKey

KEY = "lynx:aardwolf"
NAS = "s3://pictures/2026?endpoint=http://nas:9000"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that the commands find: it does not exist yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("OKAPIA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def okapia(*arguments: str, stdin: str = "") -> Result:
    """Run the command; raises what it raises."""
    return CliRunner().invoke(app, ["storage", *arguments], input=stdin, catch_exceptions=False)


def test_a_named_place_is_there_for_the_server_of_this_home(home: Path) -> None:
    added = okapia("add", "nas", "--address", NAS, "--secret-stdin", stdin=f"{KEY}\n")

    database = open_database(home, "")
    try:
        place, secret = open_storages(database, home=home).get("nas")
    finally:
        database.close()
    assert added.stdout == f"added nas: {NAS}, opened with a secret\n"
    assert (place.container, place.prefix, place.endpoint) == ("pictures", "2026", "http://nas:9000")
    assert secret == AccessKey("lynx", "aardwolf")


def test_places_are_listed_without_their_secrets() -> None:
    assert "okapia storage add" in okapia("list").stdout
    okapia("add", "nas", "--address", NAS, "--secret-stdin", stdin=KEY)
    okapia("add", "reserve", "--address", "az://parks/pictures")

    shown, listed = okapia("list").stdout, okapia("list", "--json").stdout

    _, nas, reserve = (re.split(r"  +", line) for line in shown.splitlines())
    assert nas[:3] == ["nas", NAS, "with a secret"]
    assert reserve[:3] == ["reserve", "az://parks/pictures", "by the identity of this machine"]
    assert [(one["name"], one["has_secret"]) for one in json.loads(listed)] == [
        ("nas", True),
        ("reserve", False),
    ]
    assert "aardwolf" not in shown + listed


def test_a_removed_place_is_forgotten() -> None:
    okapia("add", "nas", "--address", NAS)

    assert okapia("remove", "nas").stdout.startswith("removed nas;")
    with pytest.raises(UnknownStorage):
        okapia("remove", "nas")


def test_mistakes_are_said_without_the_secret() -> None:
    okapia("add", "nas", "--address", NAS)

    with pytest.raises(NameTaken):
        okapia("add", "nas", "--address", NAS)
    with pytest.raises(InvalidRequest) as address:
        okapia("add", "two", "--address", "az://parks/pictures?sig=aardwolf")
    with pytest.raises(InvalidRequest) as secret:
        okapia("add", "two", "--address", NAS, "--secret-stdin", stdin="aardwolf")
    with pytest.raises(InvalidRequest):
        okapia("add", "two", "--address", NAS, "--secret-stdin", stdin="")
    assert "aardwolf" not in f"{address.value} {secret.value}"
