"""What `okapia storage` does and prints."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from okapia.cli.accounts_desk import as_json
from okapia.cli.logs import configure_logs
from okapia.cli.table import minute, table
from okapia.database.opening import open_database
from okapia.service.storages import Storage, Storages, open_storages
from okapia.settings import load_settings

_WAYS = {True: "with a secret", False: "by the identity of this machine"}


def read_secret() -> str:
    """Give what standard input holds, without the white space around it."""
    return sys.stdin.read().strip()


def add(name: str, address: str, *, secret: str | None) -> None:
    """Name a place; raises what `Storages.add` raises."""
    with _opened() as storages:
        added = storages.add(name, address, secret)
    typer.echo(f"added {added.name}: {added.address}, opened {_WAYS[added.has_secret]}")
    typer.echo(f"batches name it as storage:{added.name}, or storage:{added.name}/PREFIX", err=True)


def remove(name: str) -> None:
    """Forget a place; raises `UnknownStorage`."""
    with _opened() as storages:
        storages.remove(name)
    typer.echo(f"removed {name}; batches that need it wait, and pause in the end")


def list_as_text() -> str:
    """Give a line a place, or what to do where there is none."""
    places = _all()
    if not places:
        return "no place has a name; the first: okapia storage add NAME --address s3://BUCKET"
    rows = [
        (place.name, place.address, _WAYS[place.has_secret], minute(place.created_at)) for place in places
    ]
    return table(("NAME", "ADDRESS", "OPENED", "ADDED (UTC)"), rows)


def list_as_json() -> str:
    return as_json(_all())


def _all() -> list[Storage]:
    with _opened() as storages:
        return storages.all()


@contextmanager
def _opened() -> Iterator[Storages]:
    """Give the places of the server that the settings describe; raises as `accounts_desk.open_desk`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    database = open_database(settings.home, settings.database)
    try:
        yield open_storages(database, home=settings.home)
    finally:
        database.close()
