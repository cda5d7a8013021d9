"""`okapia credits`: what accounts may spend, and whether the ledger adds up."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Grant credits, change plans, recount the ledger.")

_User = Annotated[str, typer.Argument(metavar="USER", help="A user's name.")]
_REFERENCE = (
    "Invoice or the like: credits are granted once for it, however often you ask.  [default: a new one]"
)


@app.command()
def grant(
    user: _User,
    amount: Annotated[int, typer.Argument(metavar="N", help="Credits; one pays for one picture.")],
    *,
    reference: Annotated[str | None, typer.Option(help=_REFERENCE)] = None,
    note: Annotated[str, typer.Option(help="What to remember about it.")] = "",
) -> None:
    """Add credits to an account; they do not expire."""
    from okapia.cli import credit_desk

    credit_desk.grant(user, amount, reference=reference, note=note)


@app.command()
def show(user: _User, *, json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """Show what an account has left."""
    from okapia.cli import credit_desk

    typer.echo(credit_desk.show_as_json(user) if json else credit_desk.show_as_text(user))


@app.command()
def plan(user: _User, name: Annotated[str, typer.Argument(metavar="PLAN", help="The new plan.")]) -> None:
    """Put an account on another plan.

    A larger one gives the difference of the included credits at once, a smaller one less from the next
    period on. Rates change with the next call.
    """
    from okapia.cli import credit_desk

    credit_desk.change_plan(user, name)


@app.command()
def check() -> None:
    """Recount the whole ledger from its raw entries; exit code 1 when something does not add up."""
    from okapia.cli import credit_desk

    wrong = credit_desk.recount()
    typer.echo("\n".join(wrong) or "the ledger adds up")
    raise typer.Exit(1 if wrong else 0)
