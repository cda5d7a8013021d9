"""Endpoints and their secrets: shown once, kept sealed, changed, deleted with all that was sent."""

import base64
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import func, select

from okapia.database.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_sequences,
)
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.storage_errors import SecretDamaged
from okapia.storage.secrets import Sealed
from okapia.webhooks.endpoints import MOST_ENDPOINTS, OVERLAP, Endpoint, Subscription, disable
from okapia.webhooks.events import EventType
from okapia.webhooks.filters import DetectionFilter
from tests.unit.webhooks.house import House
from tests.unit.webhooks.sightings import DUSK, animal, seen


def sealed_secret(house: House, endpoint: Endpoint) -> bytes:
    wanted = select(webhook_endpoints.c.sealed_secret).where(webhook_endpoints.c.id == endpoint.id)
    with house.database.read() as connection:
        return bytes(connection.execute(wanted).scalar_one())


def test_an_endpoint_is_kept_as_it_was_made(house: House) -> None:
    wanted = Subscription(
        "https://example.org/?token=t",
        ("job.failed",),
        "a fleet",
        DetectionFilter(min_score=0.5, cameras=frozenset({"C1"})),
    )
    with house.database.write() as connection:
        endpoint, _ = house.endpoints.add(connection, "ada", wanted)

    assert house.get(endpoint) == endpoint
    assert endpoint.subscription == wanted
    assert (endpoint.user_id, endpoint.created_at, endpoint.disabled_at) == ("ada", house.watch(), None)


def test_a_secret_is_as_the_specification_has_it(house: House) -> None:
    secret = house.secrets[house.add().id]

    prefix, _, encoded = secret.partition("_")
    assert prefix == "whsec"
    assert 24 <= len(base64.b64decode(encoded, validate=True)) <= 64


def test_the_database_never_holds_a_secret_as_it_is(house: House) -> None:
    endpoint = house.add()
    secret = house.secrets[endpoint.id]

    sealed = sealed_secret(house, endpoint)

    assert secret.encode() not in sealed
    assert base64.b64decode(secret.removeprefix("whsec_")) not in sealed
    assert house.vault.open(Sealed(sealed.decode()), owner=endpoint.id) == secret


def test_a_secret_opens_for_its_own_endpoint_only(house: House) -> None:
    first, second = house.add(), house.add()

    with pytest.raises(SecretDamaged):
        house.vault.open(Sealed(sealed_secret(house, first).decode()), owner=second.id)


def test_neither_secrets_nor_urls_are_in_what_is_printed(house: House) -> None:
    endpoint = house.add("https://example.org/?token=t0ps3cret")

    assert "t0ps3cret" not in repr(endpoint)
    assert house.secrets[endpoint.id] not in repr(endpoint)


def test_a_rotation_gives_another_secret_and_says_when_the_old_one_ends(house: House) -> None:
    endpoint = house.add()

    secret = house.rotate(endpoint)

    assert secret != house.secrets[endpoint.id]
    assert house.get(endpoint).old_secret_ends_at == house.watch() + OVERLAP


def test_what_kinds_are_wanted() -> None:
    some = Subscription("https://example.org/", ("job.failed", "detection.created"))

    assert all(Subscription("https://example.org/").wants(kind) for kind in EventType)
    assert [kind.value for kind in EventType if some.wants(kind)] == ["job.failed", "detection.created"]


def test_a_change_leaves_the_rest_as_it_was(house: House) -> None:
    endpoint = house.add("https://example.org/", "job.failed")

    with house.database.write() as connection:
        changed = house.endpoints.change(
            connection, "ada", endpoint.id, lambda before: replace(before, description="new")
        )

    assert changed == house.get(endpoint)
    assert changed.subscription == replace(endpoint.subscription, description="new")


def test_changes_at_once_are_both_made(house: House) -> None:
    endpoint = house.add()

    def describe() -> None:
        for _ in range(5):
            with house.database.write() as connection:
                house.endpoints.change(
                    connection, "ada", endpoint.id, lambda s: replace(s, description=s.description + "x")
                )

    threads = [Thread(target=describe) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert house.get(endpoint).subscription.description == "x" * 15


def test_a_user_sees_their_own_endpoints_oldest_first(house: House) -> None:
    first = house.add()
    house.watch.pass_by(timedelta(seconds=1))
    second = house.add()
    house.add(user_id="ben")

    with house.database.read() as connection:
        assert house.endpoints.list(connection, "ada") == [first, second]


@pytest.mark.parametrize("endpoint_id", ["theirs", "we_0", ""])
def test_somebody_elses_endpoint_and_an_unknown_one_are_the_same(house: House, endpoint_id: str) -> None:
    theirs = house.add(user_id="ben")
    wanted = theirs.id if endpoint_id == "theirs" else endpoint_id

    with house.database.write() as connection:
        for ask in (
            house.endpoints.get,
            house.endpoints.enable,
            house.endpoints.rotate,
            house.endpoints.remove,
        ):
            with pytest.raises(NotFound, match="of this account"):
                ask(connection, "ada", wanted)
        with pytest.raises(NotFound, match="of this account"):
            house.endpoints.change(connection, "ada", wanted, lambda before: before)

    assert house.get(theirs) == theirs


def test_an_account_has_a_limited_number_of_endpoints(house: House) -> None:
    for _ in range(MOST_ENDPOINTS):
        house.add()

    with pytest.raises(InvalidRequest, match="at most 50"):
        house.add()
    house.add(user_id="ben")


def test_a_disabled_endpoint_keeps_its_first_reason_and_can_be_enabled(house: House) -> None:
    endpoint = house.add()
    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="first", now=house.watch())
        disable(connection, endpoint.id, reason="second", now=house.watch() + timedelta(hours=1))
    disabled = house.get(endpoint)

    with house.database.write() as connection:
        house.endpoints.enable(connection, "ada", endpoint.id)

    assert (disabled.disabled_at, disabled.disabled_reason) == (house.watch(), "first")
    assert house.get(endpoint) == endpoint


def test_what_waits_for_a_disabled_endpoint_is_given_up_and_nothing_else(house: House) -> None:
    endpoint, other = house.add(), house.add()
    house.emit()

    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="test", now=house.watch())

    given_up = house.sent_to(endpoint)[0]
    assert (given_up.state, given_up.next_at, given_up.finished_at) == ("failed", None, house.watch())
    assert house.sent_to(other)[0].state == "pending"


def test_an_endpoint_is_deleted_with_all_that_was_sent_there(house: House) -> None:
    endpoint = house.add("http://127.0.0.1:9/")  # nobody is there
    house.show(seen(animal(), camera="C1", captured_at=DUSK))
    assert house.courier().deliver_next()

    with house.database.write() as connection:
        house.endpoints.remove(connection, "ada", endpoint.id)

    tables = (webhook_endpoints, webhook_deliveries, webhook_attempts, webhook_sequences)
    with house.database.read() as connection:
        left = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]
    assert left == [0, 0, 0, 0]
