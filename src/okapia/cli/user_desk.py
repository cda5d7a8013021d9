"""What `okapia users` does and prints."""

import sys

import typer

from okapia.accounts.audit import COMMAND_LINE
from okapia.accounts.passwords import hash_password
from okapia.accounts.users import User
from okapia.cli.accounts_desk import as_json, open_desk
from okapia.cli.table import minute, table
from okapia.domain.callers import Role
from okapia.domain.errors import InvalidRequest


def ask_password() -> str | None:
    """Ask for a password twice, unseen; None where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return None
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    return password


def read_password() -> str:
    """Give what standard input holds, without the end of its line."""
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def add(name: str, *, role: Role, plan: str, password: str | None) -> None:
    """Add a user; raises what `Users.add` and `hash_password` raise."""
    password_hash = None if password is None else hash_password(password)
    with open_desk() as accounts, accounts.database.write() as connection:
        is_first = not accounts.users.has_people(connection)
        user = accounts.users.add(
            connection, name, role=role, plan=plan, password_hash=password_hash, actor=COMMAND_LINE
        )
    typer.echo(f"added {user.name}: {user.role.value}, plan {user.plan}")
    if is_first:
        typer.echo(
            "this is the first user: from now on the server answers nobody without a key or a token", err=True
        )
    if password is None:
        typer.echo(f"without a password, for keys only; set one: okapia users passwd {user.name}", err=True)
    typer.echo(f"make a key: okapia keys create --name NAME --user {user.name}", err=True)


def set_password(name: str, *, password: str | None) -> None:
    """Give a user another password; raises `NotFound`, or `InvalidRequest` for no good password."""
    if password is None:
        raise InvalidRequest("there is no terminal to ask at; give the password with --password-stdin")
    password_hash = hash_password(password)
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.set_password(connection, name, password_hash=password_hash, actor=COMMAND_LINE)
    typer.echo(f"{user.name} has a new password; tokens of the old one are refused, keys still work")


def log_out(name: str) -> None:
    """End a user's tokens; raises `NotFound`."""
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.log_out(connection, name, actor=COMMAND_LINE)
    typer.echo(f"{user.name} is logged out: all tokens are refused; password and keys still work")


def disable(name: str) -> None:
    """Shut a user out; raises `NotFound`, or `WrongState` for the last admin."""
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.disable(connection, name, actor=COMMAND_LINE)
    typer.echo(f"{user.name} is shut out; back in with: okapia users enable {user.name}")


def enable(name: str) -> None:
    """Let a user in again; raises `NotFound`."""
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.enable(connection, name, actor=COMMAND_LINE)
    typer.echo(f"{user.name} may come in again, with the password and the keys of before; tokens have ended")


def list_as_text() -> str:
    """Give a line a user, or what to do where there is none."""
    people = _everybody()
    if not people:
        return "nobody has an account; the first: okapia users add NAME --role admin"
    rows = [
        (
            user.name,
            user.role.value,
            user.plan,
            "yes" if user.has_password else "no",
            minute(user.created_at),
            "disabled" if user.disabled_at else "active",
        )
        for user in people
    ]
    return table(("NAME", "ROLE", "PLAN", "PASSWORD", "ADDED (UTC)", "STATE"), rows)


def list_as_json() -> str:
    return as_json(_everybody())


def _everybody() -> list[User]:
    with open_desk() as accounts, accounts.database.read() as connection:
        return accounts.users.everybody(connection)
