"""Named places come back as they were given, their secrets unreadable in the database."""

import secrets
from pathlib import Path

import pytest
from sqlalchemy import select

from okapia.database.engine import Database
from okapia.database.tables import storages as table
from okapia.domain.errors import InvalidRequest
from okapia.domain.refusals import NameTaken
from okapia.domain.storage_errors import SecretDamaged
from okapia.service.storages import Storages, UnknownStorage, open_storages
from okapia.storage.cloud_secret import AccessKey, SasToken
from okapia.storage.secrets import Vault
from tests.unit.jobs.drafts import NOON, Watch

SAS = "sp=rl&sig=aardwolf"
AZURE = "az://parks/pictures/2026"


@pytest.fixture
def storages(database: Database) -> Storages:
    return Storages(database, Vault(b"k" * 32), clock=Watch())


def test_a_place_comes_back_with_what_opens_it(storages: Storages) -> None:
    added = storages.add("lab", AZURE, SAS)

    place, secret = storages.get("lab")
    assert (place.account, place.container, place.prefix) == ("parks", "pictures", "2026")
    assert secret == SasToken(SAS)
    assert (added.name, added.address, added.has_secret, added.created_at) == ("lab", AZURE, True, NOON)


def test_a_place_without_secret_is_opened_by_the_machines_identity(storages: Storages) -> None:
    storages.add("reserve", "s3://reserve", None)

    assert storages.get("reserve")[1] is None
    assert [one.has_secret for one in storages.all()] == [False]


def test_places_are_listed_by_name(storages: Storages) -> None:
    for name in ["Zebra", "lab", "aardwolf"]:
        storages.add(name, "s3://pictures", None)

    assert sorted(one.name for one in storages.all()) == ["Zebra", "aardwolf", "lab"]
    assert storages.all() == storages.all()


def test_the_database_holds_no_secret_in_clear(storages: Storages, database: Database) -> None:
    storages.add("lab", AZURE, SAS)

    with database.read() as connection:
        row = connection.execute(select(table)).one()
    assert b"aardwolf" not in row.sealed_secret
    assert "aardwolf" not in repr((row.address, storages.all(), storages.get("lab")))


def test_a_secret_of_another_server_is_refused(storages: Storages, database: Database) -> None:
    storages.add("lab", AZURE, SAS)

    with pytest.raises(SecretDamaged):
        Storages(database, Vault(secrets.token_bytes(32))).get("lab")


def test_a_removed_place_is_unknown(storages: Storages) -> None:
    storages.add("lab", AZURE, SAS)
    storages.remove("lab")

    assert storages.all() == []
    with pytest.raises(UnknownStorage, match="'lab'"):
        storages.get("lab")
    with pytest.raises(UnknownStorage, match="'lab'"):
        storages.remove("lab")


def test_a_name_is_given_once(storages: Storages) -> None:
    storages.add("lab", AZURE, SAS)

    with pytest.raises(NameTaken, match="remove it first"):
        storages.add("lab", "s3://pictures", None)
    assert storages.get("lab")[1] == SasToken(SAS)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "a-", "..", "x" * 65, "é"])
def test_a_name_is_plain(storages: Storages, name: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a name"):
        storages.add(name, AZURE, SAS)


@pytest.mark.parametrize(
    "address",
    ["/pictures", "https://parks.blob.core.windows.net/pictures", f"{AZURE}?{SAS}", "s3://", "s3://a:b@c/d"],
)
def test_what_is_no_address_is_refused_and_not_repeated(storages: Storages, address: str) -> None:
    with pytest.raises(InvalidRequest, match="expected s3://") as refused:
        storages.add("lab", address, None)

    assert "aardwolf" not in str(refused.value)


def test_what_is_no_secret_of_that_cloud_is_refused_and_not_repeated(storages: Storages) -> None:
    with pytest.raises(InvalidRequest, match="ACCESS_KEY_ID") as refused:
        storages.add("lab", "s3://pictures", "aardwolf")

    assert "aardwolf" not in str(refused.value)
    assert storages.all() == []


def test_servers_that_places_lie_on_are_known(storages: Storages) -> None:
    storages.add("own", "s3://pictures", None)
    storages.add("nas", "s3://pictures?endpoint=http://nas:9000", "lynx:serval")

    assert storages.endpoints() == {"http://nas:9000"}


def test_processes_of_one_home_open_each_others_places(database: Database, tmp_path: Path) -> None:
    open_storages(database, home=tmp_path).add("nas", "s3://pictures", "lynx:serval")

    assert open_storages(database, home=tmp_path).get("nas")[1] == AccessKey("lynx", "serval")
