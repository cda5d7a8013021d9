"""`okapia users`: who may use this server."""

from typing import Annotated

import typer

from okapia.accounts.plans import DEFAULT_PLAN
from okapia.domain.callers import Role

app = typer.Typer(no_args_is_help=True, help="Say who may use this server.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A user's name.")]
_FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, not from a terminal.")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Up to 64 characters; case does not count.")],
    *,
    role: Annotated[Role, typer.Option(help="What the user may do at most.")] = Role.USER,
    plan: Annotated[str, typer.Option(help="What the account may spend.")] = DEFAULT_PLAN,
    password_stdin: _FromStdin = False,
) -> None:
    """Add a user; asks for a password twice, where there is a terminal to ask at.

    With the first user the time without keys ends: from then on every call needs a key or a token.
    """
    from okapia.cli import user_desk

    password = user_desk.read_password() if password_stdin else user_desk.ask_password()
    user_desk.add(name, role=role, plan=plan, password=password)


@app.command("list")
def list_users(*, json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """List the users."""
    from okapia.cli import user_desk

    typer.echo(user_desk.list_as_json() if json else user_desk.list_as_text())


@app.command()
def passwd(name: _Name, *, password_stdin: _FromStdin = False) -> None:
    """Give a user another password, which ends the tokens of the old one."""
    from okapia.cli import user_desk

    password = user_desk.read_password() if password_stdin else user_desk.ask_password()
    user_desk.set_password(name, password=password)


@app.command()
def logout(name: _Name) -> None:
    """End all tokens of a user; the password and the keys go on working."""
    from okapia.cli import user_desk

    user_desk.log_out(name)


@app.command()
def disable(name: _Name) -> None:
    """Shut a user out: password, keys and tokens are refused from the next call on."""
    from okapia.cli import user_desk

    user_desk.disable(name)


@app.command()
def enable(name: _Name) -> None:
    """Let a disabled user in again, with the password and the keys of before."""
    from okapia.cli import user_desk

    user_desk.enable(name)
