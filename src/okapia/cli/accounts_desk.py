"""The accounts of this machine's server, for the commands that change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from okapia.accounts.audit import Audit
from okapia.accounts.keys import ApiKeys
from okapia.accounts.ledger import Ledger
from okapia.accounts.plans import parse_plans
from okapia.accounts.users import Users
from okapia.cli.logs import configure_logs
from okapia.database.engine import Database
from okapia.database.opening import open_database
from okapia.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Accounts:
    """The stores of one database, which is open and has the tables of this version."""

    database: Database
    users: Users
    keys: ApiKeys
    ledger: Ledger
    audit: Audit


@contextmanager
def open_desk() -> Iterator[Accounts]:
    """Give the accounts of the server that the settings describe; closes the database in the end.

    Raises:
        InvalidSettings: a setting is wrong, or a newer Okapia has been at the database.
        DatabaseUnavailable: it cannot be reached.
    """
    settings = load_settings()
    configure_logs(settings.log_level)
    accounts = open_accounts(settings)
    try:
        yield accounts
    finally:
        accounts.database.close()


def open_accounts(settings: Settings) -> Accounts:
    """Open the database and bring it to the tables of this version; makes it when there is none."""
    database = open_database(settings.home, settings.database)
    audit = Audit()
    # Nothing is held here, so that no process has to be named.
    ledger = Ledger(plans=parse_plans(settings.plans), instance_id="")
    return Accounts(
        database=database,
        users=Users(ledger=ledger, audit=audit),
        keys=ApiKeys(audit=audit),
        ledger=ledger,
        audit=audit,
    )


def as_json(value: object) -> str:
    """Give a value as people and programs can read it; times in UTC with a Z."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
