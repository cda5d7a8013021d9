"""Taxa that a filter names, and webhooks put together as a server has them."""

from pathlib import Path

import pytest

from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.domain.callers import LOCAL_USER_ID, Caller, Plan, Role, Scope
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import HUMAN, VEHICLE, Taxonomy
from okapia.models.taxa import builtin_taxonomy
from okapia.service.webhook_desk import WebhookDesk
from okapia.service.webhooks import Subscription, named_taxon
from okapia.webhooks.events import Event, EventType
from okapia.webhooks.queue import DeliveryQueue
from tests.unit.webhooks.receiver import receiving

ADA = Caller(LOCAL_USER_ID, "ada", Role.USER, scopes=frozenset(Scope), plan=Plan("unlimited"))
RAVENS = Taxonomy.from_labels(
    [
        "t1;aves;;;;;birds",
        "t2;aves;passeriformes;;;;perching birds",
        "t3;aves;passeriformes;corvidae;;;crows",
        "t4;aves;passeriformes;corvidae;corvus;;crow genus",
        "t5;aves;passeriformes;corvidae;corvus;corax;raven",
        "t6;aves;passeriformes;corvidae;corvus;albus;raven",
    ]
)


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        ("red fox", "Vulpes vulpes"),
        ("Vulpes  vulpes", "Vulpes vulpes"),
        ("CANIDAE", "Canidae"),
        ("carnivora", "Carnivora"),
        ("puma", "Puma"),  # the genus, which its only species is named after
        (HUMAN.id, "Homo sapiens"),
        ("animal", ""),
    ],
)
def test_a_taxon_is_found_by_its_id_or_either_name(name: str, latin: str) -> None:
    assert named_taxon(builtin_taxonomy(), name).scientific_name == latin


def test_what_is_no_animal_is_found_by_its_id() -> None:
    assert named_taxon(builtin_taxonomy(), VEHICLE.id.upper()) == VEHICLE


def test_a_name_of_two_taxa_side_by_side_is_refused_with_both() -> None:
    with pytest.raises(InvalidRequest, match="called so: Corvus albus, Corvus corax") as refused:
        named_taxon(RAVENS, "raven")

    assert refused.value.param == "taxon"
    assert named_taxon(RAVENS, "corvus corax").id == "t5"


@pytest.mark.parametrize("name", ["", "fo", "unicorn", "-", "x" * 10_000])
def test_a_name_of_nothing_is_refused_shortly(name: str) -> None:
    with pytest.raises(InvalidRequest, match="called so: none") as refused:
        named_taxon(builtin_taxonomy(), name)

    assert len(str(refused.value)) < 250


# --- put together ----------------------------------------------------------------------


def test_a_desk_sends_what_a_dead_process_left(
    database: Database, instance: Instance, tmp_path: Path
) -> None:
    with receiving() as receiver:
        desk = WebhookDesk(database, home=tmp_path, allow_private=True, instance_id=instance.id)
        desk.webhooks.add(ADA, Subscription(receiver.url), request_id=None)
        dead = Instance(database)
        with database.write() as connection:
            desk.outbox.emit(connection, ADA.user_id, Event(EventType.JOB_SUCCEEDED, {"id": "j1"}))
            DeliveryQueue(instance_id=dead.id).claim(connection)
        instance.bury(dead.id)

        desk.start()
        receiver.wait_for(1)
        desk.close()

    (endpoint,) = desk.webhooks.all(ADA)
    (delivery,) = desk.log.page(ADA, endpoint.id).deliveries
    assert (delivery.state, delivery.event_id) == ("delivered", receiver.ids[0])


def test_a_desk_sends_to_its_own_network_only_where_that_is_allowed(
    database: Database, instance: Instance, tmp_path: Path
) -> None:
    desk = WebhookDesk(database, home=tmp_path, allow_private=False, instance_id=instance.id)

    with pytest.raises(InvalidRequest, match="expected https://, got http://"):
        desk.webhooks.add(ADA, Subscription("http://192.168.1.5/"), request_id=None)


def test_a_desk_that_was_not_started_can_be_closed(
    database: Database, instance: Instance, tmp_path: Path
) -> None:
    WebhookDesk(database, home=tmp_path, allow_private=False, instance_id=instance.id).close()
