"""Callers: a key, a token or a password says who asks, until the moment that it does not count any more."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, select, update

from okapia.accounts.key_text import MistypedKey
from okapia.accounts.limits import WRONG_A_NAME, LoginThrottle
from okapia.accounts.passwords import is_outdated
from okapia.accounts.plans import PLANS, UNLIMITED
from okapia.accounts.tokens import Claims, Tokens
from okapia.accounts.users import User
from okapia.accounts.windows import open_windows
from okapia.database.engine import Database
from okapia.database.tables import api_keys, users
from okapia.domain.callers import LOCAL_USER_ID, Bucket, Rates, Role, Scope
from okapia.domain.errors import InvalidSettings
from okapia.domain.refusals import InvalidCredentials, TooManyLogins
from okapia.service.callers import Callers
from tests.unit.accounts.people import NOON, PASSWORD, Office

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A hash that takes no time to compare with, as an older Okapia may have made it."""


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@pytest.fixture
def tokens(office: Office) -> Tokens:
    return Tokens(bytes(32), clock=office.clock)


@pytest.fixture
def callers(office: Office, tokens: Tokens) -> Callers:
    return Callers(
        office.database,
        users=office.users,
        credentials=office.credentials,
        tokens=tokens,
        throttle=LoginThrottle(open_windows(clock=office.clock), clock=office.clock),
        local_plan=UNLIMITED,
    )


@pytest.fixture
def ada(office: Office) -> User:
    return office.add("ada", plan="core", password_hash=CHEAP)


def change_key(office: Office, **values: object) -> None:
    with office.database.write() as connection:
        connection.execute(update(api_keys).values(values))


def kept_hash(office: Office, name: str) -> str:
    with office.database.read() as connection:
        return str(connection.execute(select(users.c.password_hash).where(users.c.name == name)).scalar_one())


# --- keys ---------------------------------------------------------------------------------


def test_a_key_says_who_asks_and_what_they_may(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada, scopes={Scope.DETECT})

    caller = callers.authenticate(made.text)

    assert (caller.user_id, caller.name, caller.role) == (ada.id, "ada", Role.USER)
    assert caller.key_id == made.key.id
    assert caller.scopes == {Scope.DETECT}
    assert caller.plan == PLANS["core"]
    assert caller.rates == PLANS["core"].rates


def test_a_keys_rates_count_in_place_of_the_plans_bucket_by_bucket(
    office: Office, callers: Callers, ada: User
) -> None:
    made = office.mint(ada, rates=Rates(inference=7))

    rates = callers.authenticate(made.text).rates

    assert rates.of(Bucket.INFERENCE) == 7
    assert rates.of(Bucket.USAGE) == PLANS["core"].rates.of(Bucket.USAGE)


def test_a_key_never_does_more_than_its_users_role_does_now(
    office: Office, callers: Callers, ada: User
) -> None:
    made = office.mint(ada, scopes={Scope.DETECT, Scope.READ})

    with office.database.write() as connection:
        connection.execute(update(users).where(users.c.id == ada.id).values(role=Role.VIEWER.value))

    assert callers.authenticate(made.text).scopes == {Scope.READ}


def test_a_key_is_checked_with_one_select(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    statements: list[str] = []
    event.listen(
        office.database.engine,
        "before_cursor_execute",
        lambda *arguments: statements.append(arguments[2]),
    )

    callers.authenticate(made.text)

    asked = [statement.split()[0] for statement in statements]
    assert [verb for verb in asked if verb != "BEGIN"] == ["SELECT"]


def test_a_key_with_another_secret_is_refused(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    change_key(office, secret_hash="0" * 64)

    with pytest.raises(InvalidCredentials):
        callers.authenticate(made.text)


def test_an_unknown_key_is_refused(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    change_key(office, id="abcdefghjkmn")

    with pytest.raises(InvalidCredentials):
        callers.authenticate(made.text)


def test_a_mistyped_key_is_refused_in_words_that_help(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)

    with pytest.raises(MistypedKey, match="mistyped or cut off") as caught:
        callers.authenticate(made.text[:-1])

    assert caught.value.code == "invalid_credentials"


def test_a_key_counts_until_it_expires(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada, expires_at=NOON + timedelta(hours=1))

    office.clock.go(minutes=59)
    assert callers.authenticate(made.text).user_id == ada.id
    office.clock.go(minutes=1)
    with pytest.raises(InvalidCredentials):
        callers.authenticate(made.text)


def test_a_revoked_key_is_refused_at_once(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    callers.authenticate(made.text)

    with office.database.write() as connection:
        office.keys.revoke(connection, made.key.id, actor="test")

    with pytest.raises(InvalidCredentials):
        callers.authenticate(made.text)


def test_a_rotated_key_counts_until_the_overlap_ends(office: Office, callers: Callers, ada: User) -> None:
    old = office.mint(ada)
    with office.database.write() as connection:
        new = office.keys.rotate(connection, old.key.id, overlap=timedelta(hours=2), actor="test")

    assert callers.authenticate(old.text).user_id == callers.authenticate(new.text).user_id
    office.clock.go(hours=2)
    assert callers.authenticate(new.text).key_id == new.key.id
    with pytest.raises(InvalidCredentials):
        callers.authenticate(old.text)


def test_a_disabled_users_keys_rest_until_they_are_enabled(
    office: Office, callers: Callers, ada: User
) -> None:
    made = office.mint(ada)

    office.disable(ada.name)
    with pytest.raises(InvalidCredentials):
        callers.authenticate(made.text)
    office.enable(ada.name)

    assert callers.authenticate(made.text).user_id == ada.id


@pytest.mark.parametrize("credential", ["", "ok_live_", "ok_live_\u00e4", "Bearer", "a.b.c", "sk_live_1"])
def test_what_is_neither_key_nor_token_is_refused(callers: Callers, credential: str) -> None:
    with pytest.raises(InvalidCredentials):
        callers.authenticate(credential)


def test_a_plan_that_is_gone_is_said_so(office: Office, callers: Callers) -> None:
    made = office.mint(office.add("bob", plan="growth"))
    office.credentials._plans = {"unlimited": UNLIMITED}

    with pytest.raises(InvalidSettings, match="'growth', which is not there any more"):
        callers.authenticate(made.text)


# --- last used ----------------------------------------------------------------------------


def last_used(office: Office, key_id: str) -> object:
    with office.database.read() as connection:
        return office.keys.find(connection, key_id).last_used_at


def test_a_keys_use_is_noted_apart_from_the_call(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)

    callers.authenticate(made.text)
    assert last_used(office, made.key.id) is None
    callers.note_uses()

    assert last_used(office, made.key.id) == NOON


def test_a_keys_use_is_noted_at_most_once_a_minute(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    callers.authenticate(made.text)
    callers.note_uses()

    office.clock.go(seconds=59)
    callers.authenticate(made.text)
    callers.note_uses()
    assert last_used(office, made.key.id) == NOON

    office.clock.go(seconds=1)
    callers.authenticate(made.text)
    callers.note_uses()
    assert last_used(office, made.key.id) == NOON + timedelta(minutes=1)


def test_a_later_use_that_another_process_noted_stands(office: Office, callers: Callers, ada: User) -> None:
    made = office.mint(ada)
    callers.authenticate(made.text)
    change_key(office, last_used_at=NOON + timedelta(seconds=5))

    callers.note_uses()

    assert last_used(office, made.key.id) == NOON + timedelta(seconds=5)


# --- passwords and tokens -----------------------------------------------------------------


def test_name_and_password_give_a_token_that_says_who_asks(callers: Callers, ada: User) -> None:
    caller = callers.authenticate(callers.log_in("  ADA ", PASSWORD))

    assert (caller.user_id, caller.key_id) == (ada.id, None)
    assert caller.scopes == Role.USER.scopes
    assert (caller.plan, caller.rates) == (PLANS["core"], PLANS["core"].rates)


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", PASSWORD[:-1]),
        ("ada", ""),
        ("bob", PASSWORD),
        (LOCAL_USER_ID, PASSWORD),
        ("", ""),
        ("a\x00", ""),
    ],
    ids=["wrong password", "no password", "unknown", "local", "no name", "no name at all"],
)
def test_a_wrong_name_or_password_is_refused_alike(callers: Callers, name: str, password: str) -> None:
    with pytest.raises(InvalidCredentials, match="unknown, expired or revoked"):
        callers.log_in(name, password)


def test_who_has_no_password_cannot_log_in(office: Office, callers: Callers) -> None:
    office.add("bob")

    with pytest.raises(InvalidCredentials):
        callers.log_in("bob", "")


def test_the_disabled_cannot_log_in_and_their_tokens_have_ended_for_good(
    office: Office, callers: Callers, ada: User
) -> None:
    token = callers.log_in(ada.name, PASSWORD)

    office.disable(ada.name)
    with pytest.raises(InvalidCredentials):
        callers.log_in(ada.name, PASSWORD)
    with pytest.raises(InvalidCredentials):
        callers.authenticate(token)
    office.enable(ada.name)

    with pytest.raises(InvalidCredentials):
        callers.authenticate(token)
    assert callers.authenticate(callers.log_in(ada.name, PASSWORD)).user_id == ada.id


def test_another_password_ends_the_tokens_and_leaves_the_keys(
    office: Office, callers: Callers, ada: User
) -> None:
    made, token = office.mint(ada), callers.log_in(ada.name, PASSWORD)

    office.change_password(ada.name, CHEAP)

    with pytest.raises(InvalidCredentials):
        callers.authenticate(token)
    assert callers.authenticate(made.text).user_id == ada.id


def test_a_token_of_nobody_is_refused(callers: Callers, tokens: Tokens) -> None:
    with pytest.raises(InvalidCredentials):
        callers.authenticate(tokens.issue(Claims("usr_gone", 0)))


def test_an_outdated_hash_is_made_anew_and_tokens_stay_good(
    office: Office, callers: Callers, ada: User
) -> None:
    before = callers.log_in(ada.name, PASSWORD)

    assert not is_outdated(kept_hash(office, ada.name))
    assert callers.authenticate(before).user_id == ada.id
    assert callers.authenticate(callers.log_in(ada.name, PASSWORD)).user_id == ada.id


def test_a_password_changed_meanwhile_is_not_overwritten_by_the_renewed_hash(
    office: Office, ada: User
) -> None:
    with office.database.read() as connection:
        login = office.credentials.login(connection, ada.name)
    assert login is not None
    office.change_password(ada.name, "of another")

    with office.database.write() as connection:
        office.credentials.renew_hash(connection, login, "of the old one")

    assert kept_hash(office, ada.name) == "of another"


def test_who_guesses_passwords_has_to_wait(office: Office, callers: Callers, ada: User) -> None:
    for spelling in ("ada", "ADA", " Ada", "aDa", "adA")[:WRONG_A_NAME]:
        with pytest.raises(InvalidCredentials):
            callers.log_in(spelling, "a wrong guess")

    with pytest.raises(TooManyLogins):
        callers.log_in(ada.name, PASSWORD)
    office.clock.go(minutes=1, seconds=1)

    assert callers.log_in(ada.name, PASSWORD)


# --- nobody -------------------------------------------------------------------------------


def test_the_local_caller_may_do_everything_without_limits(callers: Callers) -> None:
    caller = callers.local()

    assert caller.user_id == LOCAL_USER_ID
    assert caller.scopes == set(Scope)
    assert all(caller.rates.of(bucket) is None for bucket in Bucket)


def test_there_are_people_from_the_first_one_on(office: Office, callers: Callers) -> None:
    assert not callers.has_people()

    office.add("ada")

    assert callers.has_people()


def test_an_admin_is_one_who_is_not_disabled(office: Office, callers: Callers) -> None:
    office.add("ada")
    assert not callers.has_admin()

    for name in ("bob", "eve"):
        office.add(name, role=Role.ADMIN)
    office.disable("bob")

    assert callers.has_admin()
