"""`okapia audit`: who changed what about users, keys, credits and webhooks."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.accounts.audit import AuditEntry


def audit(
    *,
    json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    since: Annotated[str | None, typer.Option(help="Only newer entries: 7d, 2027-06-30.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many entries.")] = 100,
) -> None:
    """Show the audit log, the newest entry first."""
    from okapia.cli.accounts_desk import as_json, open_desk
    from okapia.cli.times import parse_begin
    from okapia.domain.clock import utc_now

    begin = None if since is None else parse_begin(since, param="since", now=utc_now())
    with open_desk() as accounts, accounts.database.read() as connection:
        entries = accounts.audit.entries(connection, since=begin, limit=limit)
    typer.echo(as_json(entries) if json else _as_text(entries))


def _as_text(entries: "list[AuditEntry]") -> str:
    from okapia.cli.table import minute, table

    rows = [
        (minute(entry.at), entry.actor, entry.action, entry.subject, _details(entry)) for entry in entries
    ]
    return table(("AT (UTC)", "ACTOR", "ACTION", "SUBJECT", "DETAILS"), rows)


def _details(entry: "AuditEntry") -> str:
    return " ".join(f"{name}={_word(value)}" for name, value in entry.details.items())


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
