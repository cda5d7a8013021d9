"""Keys over the waist: one's own, and never more than one has oneself."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from okapia.accounts.keys import ApiKey, NewKey
from okapia.accounts.plans import PLANS, UNLIMITED
from okapia.accounts.users import User
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID, Caller, Rates, Role, Scope
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import MissingScope, WrongState
from okapia.service.keys import Keys
from tests.unit.accounts.people import Office

OVERLAP = timedelta(hours=24)
NO_RATES = Rates()


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@pytest.fixture
def keys(office: Office) -> Keys:
    return Keys(office.database, users=office.users, keys=office.keys)


@pytest.fixture
def ada(office: Office) -> Caller:
    return asking(office.add("ada", plan="core"))


@pytest.fixture
def boss(office: Office) -> Caller:
    return asking(office.add("boss", role=Role.ADMIN))


def asking(user: User) -> Caller:
    plan = PLANS[user.plan]
    return Caller(user.id, user.name, user.role, scopes=user.role.scopes, plan=plan, rates=plan.rates)


def mint(
    keys: Keys,
    caller: Caller,
    *,
    scopes: Collection[Scope] | None = None,
    rates: Rates = NO_RATES,
    user: str | None = None,
) -> NewKey:
    return keys.mint(
        caller, name="trap 7", scopes=scopes, expires_at=None, rates=rates, user=user, request_id="req-1"
    )


def ids(found: list[ApiKey]) -> set[str]:
    return {key.id for key in found}


def test_a_caller_sees_their_own_keys_only(keys: Keys, ada: Caller, boss: Caller) -> None:
    of_ada, of_boss = mint(keys, ada).key, mint(keys, boss).key

    assert ids(keys.all(ada)) == {of_ada.id}
    assert ids(keys.all(boss)) == {of_boss.id}
    assert ids(keys.all(ada, user="ADA")) == {of_ada.id}
    assert ids(keys.all(boss, user="ada")) == {of_ada.id}


def test_keys_of_others_are_for_admins(keys: Keys, ada: Caller, boss: Caller) -> None:
    of_boss = mint(keys, boss).key

    with pytest.raises(MissingScope, match="'admin'"):
        keys.all(ada, user="boss")
    with pytest.raises(MissingScope, match="'admin'"):
        mint(keys, ada, user="boss")
    with pytest.raises(NotFound):
        keys.revoke(ada, of_boss.id, request_id=None)
    with pytest.raises(NotFound):
        keys.rotate(ada, of_boss.id, overlap=OVERLAP, request_id=None)


def test_an_admin_whose_key_is_no_admins_sees_their_own_only(keys: Keys, ada: Caller, boss: Caller) -> None:
    of_ada = mint(keys, ada).key
    less = replace(boss, scopes=frozenset({Scope.KEYS}))

    with pytest.raises(MissingScope):
        keys.all(less, user="ada")
    with pytest.raises(NotFound):
        keys.revoke(less, of_ada.id, request_id=None)


def test_an_admin_makes_rotates_and_revokes_keys_of_others(keys: Keys, ada: Caller, boss: Caller) -> None:
    made = mint(keys, boss, user="ada")
    rotated = keys.rotate(boss, made.key.id, overlap=OVERLAP, request_id=None)
    revoked = keys.revoke(boss, rotated.key.id, request_id=None)

    assert made.key.scopes == ada.scopes
    assert rotated.key.user_name == revoked.user_name == "ada"
    assert revoked.revoked_at is not None


@pytest.mark.parametrize("scopes", [None, {Scope.KEYS}])
def test_a_key_may_do_no_more_than_its_maker(
    keys: Keys, ada: Caller, scopes: Collection[Scope] | None
) -> None:
    less = replace(ada, scopes=frozenset({Scope.KEYS, Scope.READ}))

    made = mint(keys, less, scopes=scopes)

    assert made.key.scopes == (less.scopes if scopes is None else {Scope.KEYS})
    with pytest.raises(MissingScope, match="'detect'"):
        mint(keys, less, scopes={Scope.KEYS, Scope.DETECT})


def test_a_key_that_may_do_more_is_not_rotated_for_less(keys: Keys, ada: Caller) -> None:
    more = mint(keys, ada)
    less = replace(ada, scopes=frozenset({Scope.KEYS, Scope.READ}))

    with pytest.raises(MissingScope):
        keys.rotate(less, more.key.id, overlap=OVERLAP, request_id=None)

    assert keys.all(ada)[0].ends_at is None


def test_a_key_calls_no_more_often_than_its_maker(keys: Keys, ada: Caller) -> None:
    slow = replace(ada, rates=replace(ada.rates, inference=7))

    assert mint(keys, ada).key.rates == NO_RATES
    assert mint(keys, slow).key.rates == Rates(inference=7)
    assert mint(keys, slow, rates=Rates(inference=5, usage=1)).key.rates == Rates(inference=5, usage=1)
    with pytest.raises(InvalidRequest, match="at most 7 inference calls a minute, got 8"):
        mint(keys, slow, rates=Rates(inference=8))
    with pytest.raises(InvalidRequest, match="at most 120 usage calls a minute, got 121"):
        mint(keys, ada, rates=Rates(usage=121))


def test_a_faster_key_is_not_rotated_for_a_slower_one(keys: Keys, ada: Caller) -> None:
    fast = mint(keys, ada)
    slow = replace(ada, rates=replace(ada.rates, inference=7))

    with pytest.raises(InvalidRequest, match="higher"):
        keys.rotate(slow, fast.key.id, overlap=OVERLAP, request_id=None)


def test_an_admin_gives_any_rates(keys: Keys, ada: Caller, boss: Caller) -> None:
    assert mint(keys, boss, user=ada.name, rates=Rates(usage=10_000)).key.rates == Rates(usage=10_000)


def test_a_server_without_users_has_no_keys(keys: Keys) -> None:
    local = Caller(LOCAL_USER_ID, LOCAL_USER_ID, Role.ADMIN, scopes=frozenset(Scope), plan=UNLIMITED)

    assert keys.all(local) == []
    with pytest.raises(WrongState, match="okapia users add NAME --role admin"):
        mint(keys, local)
    with pytest.raises(NotFound):
        mint(keys, local, user=LOCAL_USER_ID)


def test_the_log_says_who_did_it_and_by_which_call(office: Office, keys: Keys, boss: Caller) -> None:
    office.add("ada")

    made = mint(keys, boss, user="ada")

    with office.database.read() as connection:
        entry = office.audit.entries(connection, limit=1)[0]
    assert (entry.actor, entry.request_id) == ("boss", "req-1")
    assert entry.subject == f"key {made.key.id}"
    assert entry.details["user"] == "ada"
