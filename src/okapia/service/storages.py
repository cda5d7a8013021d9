"""Places in clouds that have a name on this server, with what opens them."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from okapia.database.engine import Database
from okapia.database.tables import storages
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, InvalidSettings
from okapia.domain.refusals import NameTaken
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.cloud_secret import CloudSecret, parse_secret
from okapia.storage.secrets import Sealed, Vault, load_or_make_secret

VAULT = "batch-secrets"
"""Name of the secret in the home folder that encrypts what opens places of batches."""

_FORMS = (
    "s3://BUCKET[/PREFIX], az://ACCOUNT/CONTAINER[/PREFIX] or gs://BUCKET[/PREFIX], with nothing but "
    "`?endpoint=URL` behind it"
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class UnknownStorage(InvalidRequest):
    """No place in a cloud has this name here."""

    code = "unknown_storage"

    def __init__(self, name: str) -> None:
        super().__init__(f"expected the name of a storage, got {name[:64]!r}; see: okapia storage list")


@dataclass(frozen=True, slots=True)
class Storage:
    """A named place, without its secret.

    Attributes:
        has_secret: whether it is opened with one, and not by the identity of the server's machine.
    """

    name: str
    address: str
    has_secret: bool
    created_at: datetime


class Storages:
    """The named places of a database; whoever may make batches may name them."""

    def __init__(self, database: Database, vault: Vault, *, clock: Clock = utc_now) -> None:
        """Encrypt secrets with a vault."""
        self._database = database
        self._vault = vault
        self._clock = clock

    def add(self, name: str, address: str, secret: str | None) -> Storage:
        """Give a place a name; nobody asks the cloud whether it is there.

        Raises:
            NameTaken: another has the name.
            InvalidRequest: the name, the address or the secret is none; the message repeats neither of the
                latter two.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest("expected a name of up to 64 of the signs A-Z a-z 0-9 . _ -", param="name")
        place = parse_address(address, param="address")
        if secret is not None:
            parse_secret(place.cloud, secret)
        added = Storage(name, address, has_secret=secret is not None, created_at=self._clock())
        row = {
            "name": name,
            "address": address,
            "sealed_secret": self._vault.seal(secret, owner=name).encode() if secret is not None else None,
            "created_at": added.created_at,
        }
        try:
            with self._database.write() as connection:
                connection.execute(insert(storages).values(row))
        except IntegrityError:
            raise NameTaken(f"there is a storage {name!r} already; remove it first", param="name") from None
        return added

    def remove(self, name: str) -> None:
        """Forget a place and what opens it; raises `UnknownStorage`."""
        with self._database.write() as connection:
            gone = connection.execute(delete(storages).where(storages.c.name == name))
        if gone.rowcount == 0:
            raise UnknownStorage(name)

    def all(self) -> list[Storage]:
        """Give the named places in the order of their names."""
        with self._database.read() as connection:
            rows = connection.execute(select(storages).order_by(storages.c.name)).all()
        return [Storage(row.name, row.address, row.sealed_secret is not None, row.created_at) for row in rows]

    def get(self, name: str) -> tuple[CloudAddress, CloudSecret | None]:
        """Give a place, and what opens it; None for the identity of the server's machine.

        Raises:
            UnknownStorage: there is none of that name.
            SecretDamaged: the secret was encrypted by another server.
        """
        with self._database.read() as connection:
            row = connection.execute(select(storages).where(storages.c.name == name)).one_or_none()
        if row is None:
            raise UnknownStorage(name)
        place = parse_address(row.address, param="address")
        if row.sealed_secret is None:
            return place, None
        return place, parse_secret(
            place.cloud, self._vault.open(Sealed(row.sealed_secret.decode()), owner=name)
        )

    def endpoints(self) -> frozenset[str]:
        """Give the servers, other than the clouds' own, that named places lie on."""
        endpoints = (parse_address(one.address, param="address").endpoint for one in self.all())
        return frozenset(endpoint for endpoint in endpoints if endpoint)


def open_storages(database: Database, *, home: Path) -> Storages:
    """Give the named places of the server that has this home; raises what `load_or_make_secret` does."""
    return Storages(database, Vault(load_or_make_secret(home, VAULT)))


def parse_address(text: str, *, param: str) -> CloudAddress:
    """Read the address of a place in a cloud that somebody gives.

    Raises:
        InvalidRequest: it is none; nothing of it is repeated.
    """
    try:
        return CloudAddress.parse(text)
    except InvalidSettings:
        raise InvalidRequest(f"expected {_FORMS}; a secret is given by itself", param=param) from None
