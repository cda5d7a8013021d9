"""`okapia users`, `okapia keys` and `okapia audit`: each says what it did and what to do next."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from okapia.accounts.key_text import KeyText
from okapia.accounts.passwords import is_right
from okapia.cli.accounts_desk import open_accounts
from okapia.cli.main import app
from okapia.domain.callers import Role, Scope
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import InvalidCredentials, NameTaken, WrongState
from okapia.settings import Settings
from tests.unit.accounts.people import PASSWORD, Office


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that the commands find: it does not exist yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("OKAPIA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def okapia(*arguments: str, stdin: str = "") -> Result:
    """Run the command; raises what it raises."""
    return CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)


def rows(text: str) -> list[list[str]]:
    """The words of a table's lines, without its head."""
    return [line.split() for line in text.splitlines()[1:]]


def new_key(*arguments: str) -> dict[str, object]:
    made: dict[str, object] = json.loads(okapia("keys", "create", *arguments, "--json").stdout)
    return made


def listed_keys() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(okapia("keys", "list", "--json").stdout)
    return found


def listed_user(name: str) -> dict[str, object]:
    people = json.loads(okapia("users", "list", "--json").stdout)
    return next(user for user in people if user["name"] == name)


def refuses(key: object) -> bool:
    """Whether a server on this home refuses the key."""
    accounts = open_accounts(Settings())
    office = Office(accounts.database)
    office.clock.now = datetime.now().astimezone()
    try:
        with accounts.database.read() as connection:
            office.credentials.of_key(connection, str(key))
    except InvalidCredentials:
        return True
    finally:
        accounts.database.close()
    return False


# --- users --------------------------------------------------------------------------------


def test_a_user_is_added_and_the_first_one_ends_the_time_without_keys() -> None:
    first = okapia("users", "add", "Ada", "--role", "admin")
    second = okapia("users", "add", "bob", "--plan", "core")

    assert first.stdout == "added ada: admin, plan unlimited\n"
    assert "answers nobody without a key" in first.stderr
    assert second.stdout == "added bob: user, plan core\n"
    assert "answers nobody without a key" not in second.stderr
    assert [row[:3] for row in rows(okapia("users", "list").stdout)] == [
        ["ada", "admin", "unlimited"],
        ["bob", "user", "core"],
    ]


def test_without_a_terminal_a_user_has_no_password_and_is_told_so() -> None:
    added = okapia("users", "add", "ada")

    assert "okapia users passwd ada" in added.stderr
    assert listed_user("ada")["has_password"] is False


def test_a_password_comes_from_standard_input() -> None:
    okapia("users", "add", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")

    assert listed_user("ada")["has_password"] is True
    assert PASSWORD not in okapia("audit", "--json").stdout


def test_no_password_is_kept_as_it_is(home: Path) -> None:
    okapia("users", "add", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")

    accounts = open_accounts(Settings())
    with accounts.database.read() as connection:
        login = Office(accounts.database).credentials.login(connection, "ada")
    accounts.database.close()
    assert login is not None
    assert is_right(PASSWORD, login.password_hash)
    assert all(PASSWORD.encode() not in file.read_bytes() for file in home.iterdir())


def test_a_short_password_adds_nobody() -> None:
    with pytest.raises(InvalidRequest, match="at least 8 characters, got 5"):
        okapia("users", "add", "ada", "--password-stdin", stdin="okapi\n")

    assert "nobody has an account" in okapia("users", "list").stdout


def at_terminal(*arguments: str, typed: str) -> tuple[int, str]:
    """Run the command at a terminal of its own; gives its exit code and what it shows."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "okapia", *arguments]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as run:
        os.close(its)
        shown = b""
        for line in typed.splitlines():
            shown += read_until(ours, b": ")
            os.write(ours, line.encode() + b"\n")
        shown += read_until(ours, b"end of all")
    os.close(ours)
    return run.returncode, shown.decode()


def read_until(terminal: int, prompt: bytes) -> bytes:
    """Give what a terminal shows until a prompt, or to its end."""
    shown = b""
    with suppress(OSError):  # Linux says so that the other side has gone
        while not shown.endswith(prompt) and (read := os.read(terminal, 1024)):
            shown += read
    return shown


def test_a_password_is_asked_for_twice_and_never_shown() -> None:
    code, shown = at_terminal("users", "add", "ada", typed=f"{PASSWORD}\n{PASSWORD}")

    assert code == 0, shown
    assert "Password: " in shown
    assert "Once more: " in shown
    assert PASSWORD not in shown
    assert listed_user("ada")["has_password"] is True


def test_a_password_is_changed() -> None:
    okapia("users", "add", "ada")

    changed = okapia("users", "passwd", "ADA", "--password-stdin", stdin=PASSWORD)

    assert "tokens of the old one are refused" in changed.stdout
    assert listed_user("ada")["has_password"] is True


def test_a_password_is_not_changed_to_none() -> None:
    okapia("users", "add", "ada")

    with pytest.raises(InvalidRequest, match="--password-stdin"):
        okapia("users", "passwd", "ada")


def test_passwords_that_differ_are_asked_for_again() -> None:
    code, shown = at_terminal("users", "add", "ada", typed=f"{PASSWORD}\n{PASSWORD}!\n{PASSWORD}\n{PASSWORD}")

    assert code == 0, shown
    assert shown.count("Once more: ") == 2
    assert listed_user("ada")["has_password"] is True


def test_without_a_terminal_nothing_waits_for_a_password() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "okapia", "users", "add", "ada"],
        stdin=subprocess.PIPE,  # held open: a service's supervisor gives nothing, and does not end
        stderr=subprocess.PIPE,
        text=True,
    ) as adding:
        assert adding.stderr is not None
        shown = adding.stderr.read()

    assert adding.returncode == 0
    assert "okapia users passwd ada" in shown


def test_an_empty_standard_input_is_no_password() -> None:
    with pytest.raises(InvalidRequest, match="at least 8 characters, got 0"):
        okapia("users", "add", "ada", "--password-stdin")


def test_a_user_is_logged_out() -> None:
    okapia("users", "add", "ada", "--password-stdin", stdin=PASSWORD)
    accounts = open_accounts(Settings())
    credentials = Office(accounts.database).credentials
    with accounts.database.read() as connection:
        before = credentials.login(connection, "ada")

    said = okapia("users", "logout", "ADA")

    with accounts.database.read() as connection:
        after = credentials.login(connection, "ada")
    accounts.database.close()
    assert said.stdout == "ada is logged out: all tokens are refused; password and keys still work\n"
    assert before is not None
    assert after is not None
    assert (before.claims.generation, after.claims.generation) == (0, 1)
    assert "user.logout" in okapia("audit").stdout


def test_nobody_is_logged_out_who_is_not_there() -> None:
    with pytest.raises(NotFound, match="'bob'"):
        okapia("users", "logout", "bob")


def test_a_user_is_shut_out_and_let_in_again() -> None:
    okapia("users", "add", "ada")
    key = new_key("--name", "trap")["key"]

    disabled = okapia("users", "disable", "ada")
    assert "okapia users enable ada" in disabled.stdout
    assert refuses(key)
    okapia("users", "enable", "ada")

    assert not refuses(key)
    assert rows(okapia("users", "list").stdout)[0][-1] == "active"


def test_the_last_admin_stays() -> None:
    okapia("users", "add", "ada", "--role", "admin")

    with pytest.raises(WrongState, match="last admin"):
        okapia("users", "disable", "ada")


def test_names_are_taken_once_and_unknown_ones_not_found() -> None:
    okapia("users", "add", "ada")

    with pytest.raises(NameTaken):
        okapia("users", "add", "ADA")
    with pytest.raises(NotFound, match="'bob'"):
        okapia("users", "disable", "bob")


# --- keys ---------------------------------------------------------------------------------


def test_a_key_is_made_for_the_only_user_there_is() -> None:
    okapia("users", "add", "admin", "--role", "admin")

    made = new_key("--name", "N")

    assert (made["name"], made["user"], made["expires_at"]) == ("N", "admin", None)
    assert made["scopes"] == sorted(Role.ADMIN.scopes)
    assert KeyText.parse(str(made["key"])).id == made["id"]
    assert not refuses(made["key"])


def test_a_shell_gets_the_key_and_nothing_else() -> None:
    okapia("users", "add", "ada")

    made = okapia("keys", "create", "--name", "trap")

    text = made.stdout.rstrip("\n")
    assert KeyText.parse(text).text == text
    assert "shown this once" in made.stderr


def test_without_users_the_command_says_how_to_make_one() -> None:
    with pytest.raises(InvalidRequest, match="okapia users add NAME --role admin"):
        okapia("keys", "create", "--name", "N")


def test_with_several_users_the_command_asks_whose_key_it_is() -> None:
    for name in ("ada", "bob", "eve"):
        okapia("users", "add", name)
    okapia("users", "disable", "eve")

    with pytest.raises(InvalidRequest, match=r"--user with one of ada, bob$"):
        okapia("keys", "create", "--name", "N")

    assert new_key("--name", "N", "--user", "BOB")["user"] == "bob"


def test_a_key_is_made_with_less_and_with_an_end() -> None:
    okapia("users", "add", "ada")

    made = new_key("--name", "N", "--scopes", "read, detect", "--expires", "90d", "--per-minute", "30")

    life = datetime.fromisoformat(str(made["expires_at"])) - datetime.fromisoformat(str(made["created_at"]))
    assert made["scopes"] == [Scope.DETECT, Scope.READ]
    assert timedelta(days=90) - timedelta(minutes=1) < life <= timedelta(days=90)
    assert made["rates"] == {"inference": 30, "reference": None, "usage": None}


def test_an_end_without_a_zone_is_in_utc() -> None:
    okapia("users", "add", "ada")

    assert new_key("--name", "N", "--expires", "2999-06-30")["expires_at"] == "2999-06-30T00:00:00Z"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--scopes", "detect,fly", "expected some of detect, .*, got 'fly'"),
        ("--scopes", ",", "one scope or more"),
        ("--scopes", "admin", "a user has no scope admin"),
        ("--expires", "soon", "a span as 90d or a date"),
        ("--expires", "999999w", "a span as 90d or a date"),
        ("--expires", "2020-01-01", "expected an end after"),
        ("--user", "", "1 to 64 printable characters"),
    ],
)
def test_an_option_that_cannot_be_is_refused(option: str, value: str, message: str) -> None:
    okapia("users", "add", "ada")

    with pytest.raises(InvalidRequest, match=message):
        okapia("keys", "create", "--name", "N", option, value)

    assert listed_keys() == []


def test_keys_are_listed_by_their_beginning_and_end() -> None:
    assert "okapia keys create" in okapia("keys", "list").stdout
    okapia("users", "add", "ada")
    made = new_key("--name", "trap")

    text = okapia("keys", "list").stdout

    assert rows(text)[0][:4] == [made["id"], "ada", "trap", f"{made['prefix']}...{made['last_four']}"]
    assert str(made["key"]) not in text
    assert [key["id"] for key in listed_keys()] == [made["id"]]
    assert "key" not in listed_keys()[0]


def test_a_key_is_revoked() -> None:
    okapia("users", "add", "ada")
    made = new_key("--name", "trap")

    revoked = okapia("keys", "revoke", str(made["id"]))

    assert "is refused from now on" in revoked.stdout
    assert refuses(made["key"])
    assert "revoked" in okapia("keys", "list").stdout


def test_a_key_is_rotated_by_its_beginning_and_works_on_for_a_while() -> None:
    okapia("users", "add", "ada")
    old = new_key("--name", "trap", "--scopes", "read")

    new = json.loads(okapia("keys", "rotate", str(old["prefix"]), "--overlap", "2h", "--json").stdout)

    assert (new["name"], new["scopes"]) == ("trap", ["read"])
    assert not refuses(old["key"])
    assert not refuses(new["key"])
    assert "until" in okapia("keys", "list").stdout


def test_a_key_rotated_without_overlap_ends_now() -> None:
    okapia("users", "add", "ada")
    old = new_key("--name", "trap")

    new = okapia("keys", "rotate", str(old["id"]), "--overlap", "0").stdout.rstrip("\n")

    assert refuses(old["key"])
    assert not refuses(new)


@pytest.mark.parametrize("overlap", ["", "-1h", "1y", "24", "2026-12-01"])
def test_an_overlap_that_is_no_span_is_refused(overlap: str) -> None:
    okapia("users", "add", "ada")
    made = new_key("--name", "trap")

    with pytest.raises(InvalidRequest, match="overlap: expected a span as 30m, 24h"):
        okapia("keys", "rotate", str(made["id"]), "--overlap", overlap)

    assert not refuses(made["key"])


# --- audit --------------------------------------------------------------------------------


def test_the_audit_log_shows_what_was_done_the_newest_first() -> None:
    okapia("users", "add", "ada", "--role", "admin")
    made = new_key("--name", "trap", "--scopes", "read")

    text = okapia("audit").stdout
    entries = json.loads(okapia("audit", "--json", "--limit", "1").stdout)

    assert "user.add" in text.splitlines()[2]
    assert "role=admin plan=unlimited" in text
    assert [(entry["action"], entry["subject"]) for entry in entries] == [("key.create", f"key {made['id']}")]
    assert entries[0]["actor"] == "command line"


def test_the_audit_log_begins_where_it_is_told_to() -> None:
    okapia("users", "add", "ada")

    assert len(json.loads(okapia("audit", "--json", "--since", "1h").stdout)) == 1
    assert json.loads(okapia("audit", "--json", "--since", "2999-01-01").stdout) == []
    with pytest.raises(InvalidRequest, match="since: "):
        okapia("audit", "--since", "yesterday")
