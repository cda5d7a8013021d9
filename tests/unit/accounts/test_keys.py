"""API keys: told by their text alone when mistyped, ended when they are to end, made like others."""

import re
import string
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from okapia.accounts.key_text import KeyText, MistypedKey
from okapia.accounts.keys import MAX_KEYS, ApiKey, NewKey
from okapia.accounts.users import User
from okapia.database.engine import Database
from okapia.database.tables import api_keys
from okapia.domain.callers import Rates, Role, Scope
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import WrongState
from tests.unit.accounts.people import NOON, Office


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@pytest.fixture
def ada(office: Office) -> User:
    return office.add("ada")


def rotate(office: Office, key: ApiKey, *, overlap: timedelta = timedelta(hours=24)) -> NewKey:
    with office.database.write() as connection:
        return office.keys.rotate(connection, key.id, overlap=overlap, actor="test")


def revoke(office: Office, key_id: str) -> ApiKey:
    with office.database.write() as connection:
        return office.keys.revoke(connection, key_id, actor="test")


def found(office: Office, key: ApiKey) -> ApiKey:
    with office.database.read() as connection:
        return office.keys.find(connection, key.id)


# --- the text -----------------------------------------------------------------------------


def test_a_key_begins_with_the_prefix_and_its_id() -> None:
    key = KeyText.new()

    assert re.fullmatch(r"ok_live_[a-z2-9]{12}_[0-9A-Za-z]{49}", key.text)
    assert key.text.startswith(f"ok_live_{key.id}_")
    assert KeyText.parse(key.text) == key


def test_no_two_keys_are_alike() -> None:
    keys = [KeyText.new() for _ in range(100)]

    assert len({key.id for key in keys}) == 100
    assert len({key.secret for key in keys}) == 100


def test_a_key_does_not_show_its_secret_by_accident() -> None:
    key = KeyText.new()

    assert key.secret not in repr(key)


def test_a_cut_off_key_is_told_by_its_text() -> None:
    text = KeyText.new().text

    for length in range(len(text)):
        with pytest.raises(MistypedKey):
            KeyText.parse(text[:length])


def test_every_mistyped_character_is_told_by_the_text() -> None:
    text = KeyText.new().text

    for place, right in enumerate(text):
        wrong = next(c for c in string.ascii_letters if c != right)
        with pytest.raises(MistypedKey):
            KeyText.parse(text[:place] + wrong + text[place + 1 :])


@pytest.mark.parametrize("change", [str.upper, str.swapcase, lambda t: t + "0", lambda t: f" {t}"])
def test_a_key_counts_only_as_it_was_shown(change: Callable[[str], str]) -> None:
    with pytest.raises(MistypedKey, match="mistyped or cut off"):
        KeyText.parse(change(KeyText.new().text))


# --- making -------------------------------------------------------------------------------


def test_a_key_may_do_all_that_its_users_role_may(office: Office, ada: User) -> None:
    key = office.mint(ada).key

    assert key.scopes == Role.USER.scopes
    assert (key.user_id, key.user_name, key.name) == (ada.id, "ada", "a key")
    assert (key.created_at, key.expires_at, key.revoked_at, key.last_used_at) == (NOON, None, None, None)
    assert key.ends_at is None


def test_a_key_is_known_by_its_prefix_and_last_four_characters(office: Office, ada: User) -> None:
    made = office.mint(ada)

    assert made.text.startswith(made.key.prefix)
    assert made.text.endswith(made.key.last_four)
    assert made.text not in repr(made)


def test_the_database_has_nothing_that_the_key_could_be_made_of(office: Office, ada: User) -> None:
    made = office.mint(ada)

    with office.database.read() as connection:
        row = connection.execute(select(api_keys)).one()
    assert KeyText.parse(made.text).secret not in str(row)


def test_a_key_may_do_less_and_have_rates_of_its_own(office: Office, ada: User) -> None:
    made = office.mint(ada, scopes={Scope.DETECT, Scope.READ}, rates=Rates(inference=7))

    assert found(office, made.key).scopes == {Scope.DETECT, Scope.READ}
    assert found(office, made.key).rates == Rates(inference=7)


def test_a_key_cannot_do_more_than_its_users_role(office: Office) -> None:
    eve = office.add("eve", role=Role.VIEWER)

    with pytest.raises(InvalidRequest, match="a viewer has no scope admin, detect") as caught:
        office.mint(eve, scopes={Scope.ADMIN, Scope.DETECT, Scope.READ})

    assert caught.value.param == "scopes"


def test_a_key_that_may_do_nothing_is_refused(office: Office, ada: User) -> None:
    with pytest.raises(InvalidRequest, match="one scope or more"):
        office.mint(ada, scopes=())


def test_a_key_cannot_have_ended_already(office: Office, ada: User) -> None:
    with pytest.raises(InvalidRequest, match="an end after 2026-11-21 12:00 UTC"):
        office.mint(ada, expires_at=NOON)


def test_a_rate_is_one_call_a_minute_or_more(office: Office, ada: User) -> None:
    with pytest.raises(InvalidRequest, match="1 or more usage calls a minute, got 0"):
        office.mint(ada, rates=Rates(usage=0))


def test_a_disabled_user_gets_no_keys(office: Office, ada: User) -> None:
    disabled = office.disable(ada.name)

    with pytest.raises(WrongState, match="ada is disabled"):
        office.mint(disabled)


def test_there_is_a_most_of_keys_that_work_at_once(office: Office, ada: User) -> None:
    keys = [office.mint(ada).key for _ in range(MAX_KEYS)]

    with pytest.raises(WrongState, match="100 working keys; revoke one first"):
        office.mint(ada)
    revoke(office, keys[0].id)

    assert office.mint(ada).key.user_id == ada.id


# --- listing ------------------------------------------------------------------------------


def test_keys_are_listed_the_newest_first_for_one_or_for_everybody(office: Office, ada: User) -> None:
    first = office.mint(ada).key
    office.clock.go(minutes=1)
    of_bob = office.mint(office.add("bob")).key
    office.clock.go(minutes=1)
    second = revoke(office, office.mint(ada).key.id)

    with office.database.read() as connection:
        assert office.keys.all(connection, user_id=ada.id) == [second, first]
        assert office.keys.all(connection) == [second, of_bob, first]


def test_an_unknown_key_is_not_found(office: Office) -> None:
    with office.database.read() as connection, pytest.raises(NotFound):
        office.keys.find(connection, "abcdefghjkmn")


# --- ending -------------------------------------------------------------------------------


def test_a_revoked_key_ends_now_and_stays_ended(office: Office, ada: User) -> None:
    key = office.mint(ada).key

    revoked = revoke(office, key.id)
    office.clock.go(hours=1)

    assert revoked.ends_at == NOON
    assert revoke(office, key.id) == revoked


def test_a_rotated_key_works_on_for_a_while(office: Office, ada: User) -> None:
    old = office.mint(ada, scopes={Scope.DETECT}, rates=Rates(usage=3)).key

    new = rotate(office, old, overlap=timedelta(hours=2)).key

    assert found(office, old).ends_at == NOON + timedelta(hours=2)
    assert (new.name, new.user_id, new.scopes, new.rates) == (old.name, ada.id, old.scopes, old.rates)
    assert new.id != old.id


def test_a_key_rotated_without_overlap_ends_now(office: Office, ada: User) -> None:
    old = office.mint(ada).key

    rotate(office, old, overlap=timedelta(0))

    assert found(office, old).ends_at == NOON


def test_the_new_key_lives_as_long_as_the_old_one_was_to(office: Office, ada: User) -> None:
    old = office.mint(ada, expires_at=NOON + timedelta(days=90)).key
    office.clock.go(days=89)

    new = rotate(office, old).key

    assert new.expires_at == NOON + timedelta(days=89 + 90)
    assert found(office, old).ends_at == NOON + timedelta(days=90)


def test_a_key_is_rotated_once(office: Office, ada: User) -> None:
    old = office.mint(ada).key
    rotate(office, old)

    with pytest.raises(WrongState, match="was rotated or has ended"):
        rotate(office, old)


def test_a_key_that_has_ended_is_not_rotated(office: Office, ada: User) -> None:
    expired = office.mint(ada, expires_at=NOON + timedelta(days=1)).key
    office.clock.go(days=1)

    with pytest.raises(WrongState):
        rotate(office, expired)


def test_a_rotated_key_can_be_revoked_before_its_end(office: Office, ada: User) -> None:
    old = office.mint(ada).key
    rotate(office, old)

    assert revoke(office, old.id).ends_at == NOON


def test_every_change_is_in_the_log_without_the_key(office: Office, ada: User) -> None:
    made = office.mint(ada)
    new = rotate(office, made.key)
    revoke(office, made.key.id)

    assert office.actions()[1:] == [
        ("key.create", f"key {made.key.id}"),
        ("key.rotate", f"key {made.key.id}"),
        ("key.revoke", f"key {made.key.id}"),
    ]
    with office.database.read() as connection:
        log = str(office.audit.entries(connection, limit=10))
    assert new.key.id in log
    for text in (made.text, new.text):
        assert KeyText.parse(text).secret not in log
