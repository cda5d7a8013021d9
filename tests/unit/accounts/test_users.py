"""People: added once, shut out at once, and never without an admin."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from okapia.accounts.users import MAX_NAME, User
from okapia.database.engine import Database
from okapia.database.tables import billing, users
from okapia.domain.callers import LOCAL_USER_ID, Role
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import NameTaken, WrongState
from tests.unit.accounts.people import HASH, NOON, Office


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def generation(office: Office, name: str) -> int:
    with office.database.read() as connection:
        of_name = select(users.c.token_generation).where(users.c.name == name)
        return int(connection.execute(of_name).scalar_one())


def test_a_person_is_added_with_role_and_plan(office: Office) -> None:
    ada = office.add("Ada", role=Role.VIEWER, plan="core")

    assert (ada.name, ada.role, ada.plan, ada.created_at) == ("ada", Role.VIEWER, "core", NOON)
    assert not ada.has_password
    assert ada.disabled_at is None
    assert office.everybody() == [ada]


def test_a_person_comes_with_an_account_in_the_same_transaction(office: Office) -> None:
    ada = office.add("ada", plan="public")

    with office.database.read() as connection:
        plan = connection.execute(select(billing.c.plan).where(billing.c.user_id == ada.id)).scalar_one()
    assert plan == "public"


def test_an_unknown_plan_adds_nobody(office: Office) -> None:
    with pytest.raises(InvalidRequest, match="plan"):
        office.add("ada", plan="platinum")

    assert office.everybody() == []


@pytest.mark.parametrize("name", ["ADA", " ada ", "A\u0064a"])
def test_a_name_is_taken_in_whatever_case(office: Office, name: str) -> None:
    office.add("ada")

    with pytest.raises(NameTaken, match="'ada'"):
        office.add(name)


@pytest.mark.parametrize("name", ["", "   ", "a" * (MAX_NAME + 1), "a\nb", "a\x00b", "\ud83e"])
def test_what_is_no_name_is_refused(office: Office, name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 64 printable characters") as caught:
        office.add(name)

    assert caught.value.param == "name"


def test_names_may_be_of_any_script_and_have_spaces_inside(office: Office) -> None:
    assert office.add("  \u0160\u00e1rka  Nov\u00e1  ").name == "\u0161\u00e1rka  nov\u00e1"


def test_somebody_is_found_in_whatever_case(office: Office) -> None:
    ada = office.add("ada")

    with office.database.read() as connection:
        assert office.users.by_name(connection, "ADA") == ada
        with pytest.raises(NotFound, match="'bob'"):
            office.users.by_name(connection, "bob")


def test_the_local_user_is_no_person(office: Office) -> None:
    with office.database.read() as connection:
        assert not office.users.has_people(connection)
        assert office.users.everybody(connection) == []
        with pytest.raises(NotFound):
            office.users.by_name(connection, LOCAL_USER_ID)


@pytest.mark.parametrize("change", [Office.disable, Office.enable, Office.change_password, Office.log_out])
def test_the_local_user_cannot_be_changed(office: Office, change: Callable[[Office, str], User]) -> None:
    with pytest.raises(NotFound):
        change(office, LOCAL_USER_ID)


def test_nobody_else_can_be_called_local(office: Office) -> None:
    with pytest.raises(NameTaken):
        office.add("Local")


def test_there_are_people_from_the_first_one_on_even_disabled(office: Office) -> None:
    office.add("ada")
    office.disable("ada")

    with office.database.read() as connection:
        assert office.users.has_people(connection)


def test_another_password_ends_the_tokens_of_before(office: Office) -> None:
    office.add("ada", password_hash=HASH)

    ada = office.change_password("ada", "of another")

    assert ada.has_password
    assert generation(office, "ada") == 1


def test_a_person_who_is_logged_out_keeps_the_password_and_loses_the_tokens(office: Office) -> None:
    ada = office.add("ada", password_hash=HASH)

    assert office.log_out("Ada") == ada
    assert generation(office, "ada") == 1
    assert office.actions()[-1] == ("user.logout", "user ada")


def test_a_disabled_person_comes_back_without_their_old_tokens(office: Office) -> None:
    office.add("ada", password_hash=HASH)

    disabled = office.disable("ada")
    enabled = office.enable("ada")

    assert disabled.disabled_at == NOON
    assert enabled.disabled_at is None
    assert enabled.has_password
    assert generation(office, "ada") == 1


def test_disabling_and_enabling_twice_changes_nothing_more(office: Office) -> None:
    office.add("ada")

    first = office.disable("ada")
    office.clock.go(hours=1)

    assert office.disable("ada") == first
    assert office.enable("ada") == office.enable("ada")
    assert generation(office, "ada") == 1
    assert [action for action, _ in office.actions()] == ["user.add", "user.disable", "user.enable"]


def test_the_last_admin_cannot_be_disabled(office: Office) -> None:
    office.add("ada", role=Role.ADMIN)
    office.add("bob", role=Role.ADMIN)
    office.add("eve")
    office.disable("ada")

    with pytest.raises(WrongState, match="bob is the last admin"):
        office.disable("bob")
    office.disable("eve")

    assert [user.name for user in office.everybody() if user.disabled_at is None] == ["bob"]


def test_two_admins_cannot_disable_each_other_at_once(office: Office) -> None:
    for name in ("ada", "bob"):
        office.add(name, role=Role.ADMIN)
    together = threading.Barrier(2)
    refused: list[str] = []

    def disable(name: str) -> None:
        together.wait()
        try:
            office.disable(name)
        except WrongState:
            refused.append(name)

    threads = [threading.Thread(target=disable, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert [user.name for user in office.everybody() if user.disabled_at is None] == refused


def test_every_change_is_in_the_log(office: Office) -> None:
    office.add("ada")
    office.change_password("ada")
    office.disable("ada")
    office.enable("ada")

    assert office.actions() == [
        ("user.add", "user ada"),
        ("user.password", "user ada"),
        ("user.disable", "user ada"),
        ("user.enable", "user ada"),
    ]


def test_a_refused_change_is_not_in_the_log(office: Office) -> None:
    office.add("ada", role=Role.ADMIN)

    with pytest.raises(WrongState):
        office.disable("ada")

    assert office.actions() == [("user.add", "user ada")]
