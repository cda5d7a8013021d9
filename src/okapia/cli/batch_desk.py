"""What `okapia batch` does and prints, at the desk of this home; the server of this home does the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from okapia.accounts.audit import Audit
from okapia.accounts.plans import parse_plans
from okapia.accounts.users import User, Users
from okapia.app import build_service, desk_options
from okapia.cli.logs import configure_logs
from okapia.cli.table import minute, table
from okapia.dialects.batches.answers import ShownBatch, ShownRecount
from okapia.dialects.batches.bodies import NewSecrets, checked
from okapia.domain.callers import Caller
from okapia.domain.errors import InvalidRequest, OutputNotWritable
from okapia.domain.refusals import WrongState
from okapia.service import Service
from okapia.service.batches import Overview, State
from okapia.service.desk import Desk
from okapia.settings import Settings, load_settings
from okapia.storage.blob_stores import open_blobs

_LISTED = 50


@contextmanager
def open_service(settings: Settings) -> Iterator[Service]:
    """Give the service that the settings describe; no model is loaded."""
    service = build_service(settings)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def open_batches(settings: Settings, *, user: str | None = None) -> Iterator[tuple[Desk, Caller]]:
    """Give the desk of the server that the settings describe, where nobody works, and who asks there.

    Raises as `open_around` does.
    """
    with open_service(settings) as service, open_around(service, settings, user=user) as desk_and_caller:
        yield desk_and_caller


@contextmanager
def open_around(service: Service, settings: Settings, *, user: str | None) -> Iterator[tuple[Desk, Caller]]:
    """Do as `open_batches` does around a service that is there.

    Args:
        user: name of who asks; where it is not said, the only person with an account, or the server's own
            user while there are none.

    Raises:
        InvalidRequest: it is not clear who asks.
        NotFound: nobody is called so.
        DatabaseUnavailable: the database cannot be reached.
    """
    desk = Desk(service, desk_options(settings))
    try:
        yield desk, _caller(desk, settings, user)
    finally:
        desk.stop_working()
        desk.close()


def own_settings() -> Settings:
    """Read the settings of this machine, and log as they say; raises `InvalidSettings`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return settings


def as_json(overview: Overview) -> str:
    """Give a batch as the server shows it, on one line; its URLs begin with the path."""
    return ShownBatch.of(overview, base_url="").model_dump_json()


def pause(batch_id: str, *, user: str | None) -> None:
    """Halt a batch; raises what `Batches.pause` does."""
    with open_batches(own_settings(), user=user) as (desk, caller):
        desk.batches.pause(caller, batch_id)
    typer.echo(f"batch {batch_id} is paused; go on with: okapia batch resume {batch_id}")


def resume(batch_id: str, secret: str | None, output_secret: str | None, *, user: str | None) -> None:
    """Go on with a halted batch; raises what `Batches.resume` does."""
    given = checked(NewSecrets, {"secret": secret, "output_secret": output_secret})
    with open_batches(own_settings(), user=user) as (desk, caller):
        batch = desk.batches.resume(caller, batch_id, secrets=given.secrets())
    typer.echo(f"batch {batch_id} goes on: {batch.state.value}")


def cancel(batch_id: str, *, user: str | None) -> None:
    """End a batch; raises what `Batches.cancel` does."""
    with open_batches(own_settings(), user=user) as (desk, caller):
        desk.batches.cancel(caller, batch_id)
        counts = desk.batches.get(caller, batch_id).progress.counts
    typer.echo(f"batch {batch_id} is canceled; {counts.answered:,} pictures have an answer, and are paid for")


def verify(batch_id: str, *, user: str | None, as_json: bool) -> int:
    """Count a batch anew and say what came of it; gives 1 where the books are wrong, else 0."""
    with open_batches(own_settings(), user=user) as (desk, caller):
        recount = ShownRecount.of(desk.batches.verify(caller, batch_id))
    if as_json:
        typer.echo(recount.model_dump_json())
        return 0 if recount.is_right else 1
    typer.echo(f"counted from the files alone: {recount.images:,} pictures")
    for verdict, number in recount.counts.model_dump().items():
        typer.echo(f"  {verdict:12} {number:,}")
    for problem in recount.problems:
        typer.echo(f"okapia: {problem}", err=True)
    typer.echo("the books say the same" if recount.is_right else "the books say something else")
    return 0 if recount.is_right else 1


def copy_results(batch_id: str, folder: Path, *, user: str | None) -> None:
    """Copy a batch's files into a folder, over those of the same names.

    Raises:
        WrongState: it has not completed.
        OutputNotWritable: the folder cannot be written.
    """
    settings = own_settings()
    with open_batches(settings, user=user) as (desk, caller):
        overview = desk.batches.get(caller, batch_id)
        if overview.batch.state is not State.COMPLETED:
            raise WrongState(f"expected a batch that has completed, it is {overview.batch.state.value}")
        blobs = open_blobs(settings.blobs, home=settings.home)
        for file in overview.outputs:
            _write(folder / file.name, blobs.read(file.key, max_bytes=file.n_bytes))
            pictures = "1 picture" if file.images == 1 else f"{file.images:,} pictures"
            typer.echo(f"{folder / file.name}  {pictures}, {file.n_bytes:,} bytes")


def list_as_text(user: str | None) -> str:
    """Give a line for each of the newest batches, or what to do where there is none."""
    batches = _newest(user)
    if not batches:
        return "there are no batches; the first: okapia batch submit FOLDER"
    head = ("ID", "NAME", "STATE", "PICTURES", "ENDED", "FAILED", "MADE (UTC)", "MESSAGE")
    return table(head, [_row(one) for one in batches])


def list_as_json(user: str | None) -> str:
    return "[" + ",\n".join(as_json(one) for one in _newest(user)) + "]"


def _newest(user: str | None) -> tuple[Overview, ...]:
    with open_batches(own_settings(), user=user) as (desk, caller):
        return desk.batches.page(caller, limit=_LISTED).batches


def _row(overview: Overview) -> tuple[str, ...]:
    batch, counts = overview.batch, overview.progress.counts
    return (
        batch.id,
        overview.request.name or "-",
        batch.state.value,
        "?" if batch.images is None else f"{batch.images:,}",
        f"{counts.total:,}",
        f"{counts.total - counts.answered:,}",
        minute(batch.created_at),
        batch.message,
    )


def _caller(desk: Desk, settings: Settings, name: str | None) -> Caller:
    users = Users(ledger=desk.ledger, audit=Audit())
    with desk.database.read() as connection:
        if name is not None:
            return _caller_of(users.by_name(connection, name), settings)
        people = [user for user in users.everybody(connection) if user.disabled_at is None]
    if len(people) > 1:
        names = ", ".join(user.name for user in people)
        raise InvalidRequest(f"whose batch is it? expected --user with one of {names}", param="user")
    return _caller_of(people[0], settings) if people else desk.callers.local()


def _caller_of(user: User, settings: Settings) -> Caller:
    plan = parse_plans(settings.plans)[user.plan]
    return Caller(user.id, user.name, role=user.role, scopes=user.role.scopes, plan=plan)


def _write(target: Path, data: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise OutputNotWritable(f"cannot write {target}: {error.strerror}") from error
