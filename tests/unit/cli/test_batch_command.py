"""`okapia batch`: handed to the server of a home, followed, counted again and fetched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from okapia.cli.batch_submit import read_secrets
from okapia.cli.main import app
from okapia.domain.errors import InvalidRequest, NotFound, SourceRefused, UnreadableFile
from okapia.domain.refusals import WrongState
from tests.unit.dialects.batch_steps import ended, house_of, make_pictures
from tests.unit.dialects.job_steps import keys_of

CANARY = "c4n4rYc4n4rY"
SAS = f"sv=2022-11-02&sig={CANARY}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that the commands find, with pictures that batches may name."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path))
    monkeypatch.setenv("OKAPIA_SOURCE_ROOTS", json.dumps([str(make_pictures(tmp_path))]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[TestClient]:
    with house_of(home) as client:
        yield client


def okapia(*arguments: str, stdin: str = "") -> Result:
    """Run the command; raises what it raises."""
    return CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)


def submitted(*arguments: str, stdin: str = "") -> str:
    """Give the id of a batch that the command made."""
    made = okapia("batch", "submit", *arguments, stdin=stdin)
    assert made.exit_code == 0, made.output
    return made.stdout.strip()


def test_a_batch_waits_for_the_server_of_its_home(home: Path) -> None:
    made = okapia("batch", "submit", "pictures", "--name", "night 7", "--priority", "3")
    listed = okapia("batch", "list").stdout
    [shown] = json.loads(okapia("batch", "list", "--json").stdout)

    batch_id = made.stdout.strip()
    assert f"okapia batch watch {batch_id}" in made.stderr
    assert listed.splitlines()[1].split()[:4] == [batch_id, "night", "7", "listing"]
    assert (shown["name"], shown["priority"], shown["source"]["place"]) == (
        "night 7",
        3,
        str(home / "pictures"),
    )
    with house_of(home) as client:
        assert ended(client, batch_id)["status"] == "completed"


@pytest.mark.usefixtures("server")
def test_a_batch_is_followed_to_its_end() -> None:
    waited = okapia("batch", "submit", "pictures", "--wait")
    batch_id = waited.stdout.splitlines()[0]
    lines = okapia("batch", "watch", batch_id, "--json")

    assert (waited.exit_code, lines.exit_code) == (1, 1)
    assert f"batch {batch_id} is complete: 3 of 4 pictures have an answer" in waited.stdout
    assert [json.loads(line)["status"] for line in lines.stdout.splitlines()] == ["completed"]
    assert okapia("batch", "submit", "pictures", "--prefix", "a", "--wait").exit_code == 0


def test_a_batch_is_counted_again_from_its_files(server: TestClient, home: Path) -> None:
    batch_id = submitted("pictures")
    ended(server, batch_id)

    right = okapia("batch", "verify", batch_id)
    for shard in (home / "blobs" / "batches" / batch_id).glob("*.parquet"):
        shard.unlink()
    wrong = okapia("batch", "verify", batch_id, "--json")

    assert right.exit_code == 0
    assert "counted from the files alone: 4 pictures" in right.stdout
    assert "the books say the same" in right.stdout
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout)["is_right"] is False


def test_results_are_copied(server: TestClient, home: Path) -> None:
    batch_id = submitted("pictures", "--suffix", ".jpg", "--sample-n", "4", "--format", "megadetector")
    ended(server, batch_id)

    copied = okapia("batch", "results", batch_id, "--output", "copies/here")

    folder = home / "copies" / "here"
    names = sorted(file.name for file in folder.iterdir())
    assert sorted(line.split()[0] for line in copied.stdout.splitlines()) == [
        f"copies/here/{name}" for name in names
    ]
    assert any(name.endswith("failures.csv") for name in names)
    [results] = [name for name in names if "megadetector" in name]
    assert len(json.loads((folder / results).read_text())["images"]) == 4


def test_a_list_says_which_pictures_are_meant(server: TestClient, home: Path) -> None:
    (home / "names.json").write_text('[["a.jpg", "camera 1"], ["gone.jpg", "camera 2"]]')

    batch = ended(server, submitted("pictures", "--list", "names.json"))

    assert (batch["progress"]["done"], batch["progress"]["missing"]) == (1, 1)


def test_a_batch_is_halted_goes_on_and_ends(home: Path) -> None:
    batch_id = submitted("pictures")

    paused = okapia("batch", "pause", batch_id)
    watched = okapia("batch", "watch", batch_id)
    resumed = okapia("batch", "resume", batch_id)
    canceled = okapia("batch", "cancel", batch_id)

    assert f"okapia batch resume {batch_id}" in paused.stdout
    assert watched.exit_code == 3
    assert "is paused (paused by its owner)" in watched.stdout
    assert "goes on: listing" in resumed.stdout
    assert "0 pictures have an answer" in canceled.stdout
    assert okapia("batch", "watch", batch_id).exit_code == 2
    with pytest.raises(WrongState, match="it is canceled"):
        okapia("batch", "results", batch_id, "--output", str(home))


def test_what_opens_a_place_comes_by_standard_input_and_is_shown_nowhere(home: Path) -> None:
    made = okapia("batch", "submit", "az://photos/night", "--sas-stdin", "--json", stdin=f"{SAS}\n")
    batch_id = json.loads(made.stdout)["id"]
    okapia("batch", "pause", batch_id)
    resumed = okapia("batch", "resume", batch_id, "--secret-stdin", stdin=SAS)

    told = made.output + resumed.output + okapia("batch", "list", "--json").output
    assert resumed.exit_code == 0
    assert CANARY not in told
    assert [file for file in home.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()] == []


@pytest.mark.parametrize(
    ("has_source", "has_output", "expected"),
    [
        (False, False, (None, None)),
        (True, False, ('{"a":\n1}', None)),
        (False, True, (None, '{"a":\n1}')),
        (True, True, ('{"a":', "1}")),
    ],
)
def test_two_secrets_are_two_lines(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    has_source: bool,
    has_output: bool,
    expected: tuple[str | None, str | None],
) -> None:
    given = tmp_path / "stdin"
    given.write_text('{"a":\n1}\n')

    with given.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert read_secrets(has_source=has_source, has_output=has_output) == expected


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(SourceRefused):
        okapia("batch", "submit", "/etc")
    with pytest.raises(InvalidRequest, match=r"source\.first_n: .* greater than or equal to 1"):
        okapia("batch", "submit", "pictures", "--first-n", "0")
    with pytest.raises(InvalidRequest, match="or images with URLs, got none"):
        okapia("batch", "submit")
    with pytest.raises(UnreadableFile, match="No such file"):
        okapia("batch", "submit", "pictures", "--list", "nowhere.txt")
    with pytest.raises(NotFound):
        okapia("batch", "watch", "0" * 32)
    assert "okapia batch submit FOLDER" in okapia("batch", "list").stdout


def test_with_several_people_it_has_to_be_said_whose_batch_it_is(home: Path) -> None:
    keys_of(home, "ada")
    of_only_one = submitted("pictures")
    keys_of(home, "bob")
    of_bob = submitted("pictures", "--user", "Bob")

    with pytest.raises(InvalidRequest, match="--user with one of ada, bob"):
        okapia("batch", "list")
    [adas] = json.loads(okapia("batch", "list", "--user", "ada", "--json").stdout)
    [bobs] = json.loads(okapia("batch", "list", "--user", "bob", "--json").stdout)
    assert (adas["id"], bobs["id"]) == (of_only_one, of_bob)
    with pytest.raises(NotFound):
        okapia("batch", "cancel", of_only_one, "--user", "bob")
