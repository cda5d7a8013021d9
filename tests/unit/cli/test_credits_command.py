"""`okapia credits`: grants, plans, and a recount that finds what is wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from okapia.accounts.plans import MAX_CREDITS
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.cli.credits import app
from okapia.database.tables import billing
from okapia.domain.callers import Role
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.settings import Settings
from tests.ledger_books import assert_balanced


@contextmanager
def accounts() -> Iterator[Accounts]:
    """The accounts that the commands find."""
    opened = open_accounts(Settings())
    yield opened
    opened.database.close()


@pytest.fixture(autouse=True)
def _ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home with one user on the plan `public`; the ledger is recounted in the end."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with accounts() as opened, opened.database.write() as connection:
        opened.users.add(connection, "ada", role=Role.USER, plan="public", password_hash=None, actor="test")
    yield
    with accounts() as opened:
        assert_balanced(opened.database)


def credits_command(*arguments: str) -> Result:
    """Run the command; raises what it raises."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def shown(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(credits_command("show", name, "--json").stdout)
    return found


def changes() -> list[tuple[str, str, dict[str, object]]]:
    """Action, subject and details of what the audit log says about credits."""
    with accounts() as opened, opened.database.read() as connection:
        entries = opened.audit.entries(connection, limit=10)
    found = [(entry.action, entry.subject, dict(entry.details)) for entry in entries]
    return [entry for entry in found if entry[0].startswith("credits.")]


def test_granted_credits_are_shown() -> None:
    granted = credits_command("grant", "Ada", "500", "--note", "for the rainy season")

    assert granted.stdout == "granted 500 credits to ada; 1,600 can be spent\n"
    assert shown("ada")["top_up"] == 500


def test_credits_are_granted_once_for_a_reference() -> None:
    first, second = (credits_command("grant", "ada", "500", "--reference", "invoice 7") for _ in range(2))

    assert first.stdout.startswith("granted 500 credits")
    assert second.stdout == "invoice 7 was granted before; 1,600 can be spent\n"
    assert changes() == [("credits.grant", "user ada", {"credits": 500, "reference": "invoice 7"})]


def test_without_a_reference_each_grant_counts() -> None:
    for _ in range(2):
        credits_command("grant", "ada", "500")

    assert shown("ada")["top_up"] == 1000


@pytest.mark.parametrize("amount", ["0", str(MAX_CREDITS + 1), "1" + "0" * 30])
def test_grants_that_make_no_sense_are_refused(amount: str) -> None:
    with pytest.raises(InvalidRequest, match="credit"):
        credits_command("grant", "ada", amount)


def test_an_account_is_shown_with_every_pool() -> None:
    lines = [line.split() for line in credits_command("show", "ada").stdout.splitlines()]

    assert lines[0] == ["CREDITS", "LEFT", "OF", "UNTIL", "(UTC)"]
    assert lines[1][:3] == ["included", "1,000", "1,000"]
    assert lines[2] == ["top-up", "0", "-", "-"]
    assert lines[3] == ["grace", "100", "100", "-"]
    assert lines[4] == ["plan", "public;", "1,100", "can", "be", "spent"]


def test_a_plan_is_changed_and_the_change_logged() -> None:
    changed = credits_command("plan", "ada", "core")

    assert changed.stdout == "ada is on the plan core; 11,000 can be spent\n"
    assert shown("ada")["plan"] == "core"
    assert changes() == [("credits.plan", "user ada", {"from": "public", "to": "core"})]


def test_an_unlimited_account_says_so() -> None:
    changed = credits_command("plan", "ada", "unlimited")

    assert changed.stdout == "ada is on the plan unlimited; calls are never refused\n"
    assert shown("ada")["unlimited"] is True
    assert shown("ada")["available"] == MAX_CREDITS


def test_plans_of_the_settings_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "okapia.toml").write_text("[plans.students]\nincluded = 7\n", encoding="utf-8")

    credits_command("plan", "ada", "students")

    assert shown("ada")["plan"] == "students"


def test_an_unknown_plan_names_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="public, core, growth, got 'gold'"):
        credits_command("plan", "ada", "gold")


@pytest.mark.parametrize("command", [("show", "bob"), ("grant", "bob", "5"), ("plan", "bob", "core")])
def test_an_unknown_user_is_not_found(command: tuple[str, ...]) -> None:
    with pytest.raises(NotFound, match="nobody is called 'bob'"):
        credits_command(*command)


def test_a_recount_says_that_the_ledger_adds_up() -> None:
    checked = credits_command("check")

    assert (checked.stdout, checked.exit_code) == ("the ledger adds up\n", 0)


def test_a_recount_finds_a_balance_that_somebody_changed() -> None:
    with accounts() as opened, opened.database.write() as connection:
        connection.execute(update(billing).where(billing.c.plan == "public").values(top_up=9))

    checked = credits_command("check")

    assert checked.exit_code == 1
    assert checked.stdout.endswith(": top_up: 9 left, its entries add up to 0\n")
    with accounts() as opened, opened.database.write() as connection:
        connection.execute(update(billing).where(billing.c.plan == "public").values(top_up=0))
