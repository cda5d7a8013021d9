"""What `okapia credits` does and prints."""

from uuid import uuid4

import typer

from okapia.accounts.account import Balance
from okapia.accounts.audit import COMMAND_LINE
from okapia.accounts.recount import check
from okapia.cli.accounts_desk import as_json, open_desk
from okapia.cli.table import minute, table


def grant(name: str, amount: int, *, reference: str | None, note: str) -> None:
    """Add top-up credits; raises what `Ledger.grant` raises, or `NotFound` for an unknown user."""
    reference = reference or f"grant_{uuid4().hex}"
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.by_name(connection, name)
        before = accounts.ledger.balance(connection, user.id).account.left.top_up
        balance = accounts.ledger.grant(connection, user.id, amount=amount, reference=reference, note=note)
        is_new = balance.account.left.top_up != before
        if is_new:
            accounts.audit.record(
                connection,
                actor=COMMAND_LINE,
                action="credits.grant",
                subject=f"user {user.name}",
                details={"credits": amount, "reference": reference},
            )
    done = f"granted {amount:,} credits to {user.name}" if is_new else f"{reference} was granted before"
    typer.echo(f"{done}; {_available(balance)}")


def change_plan(name: str, plan: str) -> None:
    """Put an account on another plan; raises `InvalidRequest` for an unknown one, or `NotFound`."""
    with open_desk() as accounts, accounts.database.write() as connection:
        user = accounts.users.by_name(connection, name)
        balance = accounts.ledger.change_plan(connection, user.id, plan=plan)
        accounts.audit.record(
            connection,
            actor=COMMAND_LINE,
            action="credits.plan",
            subject=f"user {user.name}",
            details={"from": user.plan, "to": plan},
        )
    typer.echo(f"{user.name} is on the plan {plan}; {_available(balance)}")


def show_as_text(name: str) -> str:
    """Give a line a pool of credits; raises `NotFound`."""
    balance = _balance(name)
    account = balance.account
    ends = minute(account.period.ends_at)
    included = "-" if account.is_unlimited else f"{balance.included_total:,}"
    rows = [
        ("included", f"{account.left.included:,}", included, ends),
        ("top-up", f"{account.left.top_up:,}", "-", "-"),
        ("grace", f"{balance.grace_remaining:,}", f"{balance.grace_limit:,}", minute(account.grace_ends_at)),
    ]
    head = ("CREDITS", "LEFT", "OF", "UNTIL (UTC)")
    return f"{table(head, rows)}\nplan {account.plan.name}; {_available(balance)}"


def show_as_json(name: str) -> str:
    """Give the same as one object; raises `NotFound`."""
    balance = _balance(name)
    account = balance.account
    return as_json(
        {
            "user": name,
            "plan": account.plan.name,
            "unlimited": account.is_unlimited,
            "available": account.available,
            "included_total": balance.included_total,
            "included_remaining": account.left.included,
            "top_up": account.left.top_up,
            "grace_limit": balance.grace_limit,
            "grace_remaining": balance.grace_remaining,
            "grace_ends_at": account.grace_ends_at,
            "period_starts_at": account.period.starts_at,
            "period_ends_at": account.period.ends_at,
        }
    )


def recount() -> list[str]:
    """Give what does not add up, a line each."""
    with open_desk() as accounts, accounts.database.read() as connection:
        return [f"{found.user_id}: {found.fact}" for found in check(connection)]


def _balance(name: str) -> Balance:
    with open_desk() as accounts, accounts.database.read() as connection:
        user = accounts.users.by_name(connection, name)
        return accounts.ledger.balance(connection, user.id)


def _available(balance: Balance) -> str:
    account = balance.account
    return "calls are never refused" if account.is_unlimited else f"{account.available:,} can be spent"
