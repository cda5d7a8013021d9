"""What `okapia keys` does and prints."""

from collections.abc import Sequence
from dataclasses import dataclass

import typer
from sqlalchemy import Connection

from okapia.accounts.audit import COMMAND_LINE
from okapia.accounts.key_text import PREFIX
from okapia.accounts.keys import ApiKey, NewKey
from okapia.accounts.users import User
from okapia.cli.accounts_desk import Accounts, as_json, open_desk
from okapia.cli.table import minute, table
from okapia.cli.times import parse_end, parse_span
from okapia.domain.callers import Rates, Scope
from okapia.domain.clock import utc_now
from okapia.domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Made:
    """A key to be shown this once."""

    made: NewKey

    def print_json(self) -> None:
        typer.echo(as_json({"key": self.made.text, **self.made.key.shown()}))

    def print_text(self) -> None:
        """Print the key alone, for a shell to keep; what else there is to say goes to standard error."""
        key = self.made.key
        end = "never ends" if key.ends_at is None else f"ends {minute(key.ends_at)} UTC"
        typer.echo(f"key {key.id} of {key.user_name}, {end}; it is shown this once, so keep it:", err=True)
        typer.echo(self.made.text)


def create(
    name: str, *, user: str | None, scopes: str | None, expires: str | None, per_minute: int | None
) -> Made:
    """Make a key; raises what `ApiKeys.mint` raises, or `NotFound` for an unknown user.

    Raises:
        InvalidRequest: it is not clear for whom, or an option cannot be read.
    """
    expires_at = None if expires is None else parse_end(expires, param="expires", now=utc_now())
    granted = None if scopes is None else _scopes(scopes)
    with open_desk() as accounts, accounts.database.write() as connection:
        made = accounts.keys.mint(
            connection,
            _owner(accounts, connection, user),
            name=name,
            scopes=granted,
            expires_at=expires_at,
            rates=Rates(inference=per_minute),
            actor=COMMAND_LINE,
        )
    return Made(made)


def rotate(key_id: str, *, overlap: str) -> Made:
    """Make a key in place of another; raises what `ApiKeys.rotate` raises, or `InvalidRequest`."""
    span = parse_span(overlap, param="overlap")
    with open_desk() as accounts, accounts.database.write() as connection:
        made = accounts.keys.rotate(connection, _id(key_id), overlap=span, actor=COMMAND_LINE)
        old = accounts.keys.find(connection, _id(key_id))
    typer.echo(f"key {old.id} ends {minute(old.ends_at)} UTC", err=True)
    return Made(made)


def revoke(key_id: str) -> None:
    """End a key; raises `NotFound`."""
    with open_desk() as accounts, accounts.database.write() as connection:
        key = accounts.keys.revoke(connection, _id(key_id), actor=COMMAND_LINE)
    typer.echo(f"key {key.id} ({key.name}, of {key.user_name}) is refused from now on")


def list_as_text() -> str:
    """Give a line a key, or what to do where there is none."""
    keys = _all()
    if not keys:
        return "there are no keys; the first: okapia keys create --name NAME"
    rows = [
        (
            key.id,
            key.user_name,
            key.name,
            f"{key.prefix}...{key.last_four}",
            minute(key.last_used_at),
            _state(key),
            ",".join(sorted(key.scopes)),
        )
        for key in keys
    ]
    return table(("ID", "USER", "NAME", "KEY", "LAST USED (UTC)", "STATE", "SCOPES"), rows)


def list_as_json() -> str:
    return as_json([key.shown() for key in _all()])


def _all() -> list[ApiKey]:
    with open_desk() as accounts, accounts.database.read() as connection:
        return accounts.keys.all(connection)


def _owner(accounts: Accounts, connection: Connection, name: str | None) -> User:
    """Give the user of that name, or the only one there is."""
    if name is not None:
        return accounts.users.by_name(connection, name)
    people = accounts.users.everybody(connection)
    active = [user for user in people if user.disabled_at is None]
    if len(active) == 1:
        return active[0]
    raise InvalidRequest(_whose(active), param="user")


def _whose(people: Sequence[User]) -> str:
    if not people:
        return "there is nobody to make a key for; first: okapia users add NAME --role admin"
    return f"whose key is it? expected --user with one of {', '.join(user.name for user in people)}"


def _scopes(text: str) -> set[Scope]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Scope)]
    if unknown:
        raise InvalidRequest(
            f"scopes: expected some of {', '.join(Scope)}, got {unknown[0]!r}", param="scopes"
        )
    return {Scope(name) for name in names}


def _id(text: str) -> str:
    """Take the beginning of a key, as the list shows it, for its id too."""
    return text.removeprefix(PREFIX).partition("_")[0]


def _state(key: ApiKey) -> str:
    if key.ends_at is None:
        return "active"
    if key.ends_at > utc_now():
        return f"until {minute(key.ends_at)}"
    return "revoked" if key.ends_at == key.revoked_at else "expired"
