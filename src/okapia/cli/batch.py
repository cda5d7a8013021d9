"""`okapia batch`: any number of pictures under one request, worked on by the server of this home."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Have any number of pictures analysed by the server of this home."
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="A batch's id, as `submit` and `list` give it.")]
_User = Annotated[
    str | None, typer.Option(help="Whose batch it is; needed where several people have an account.")
]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_JsonLines = Annotated[bool, typer.Option("--json", help="Write a JSON object a line for each change.")]

_PLACE = "A folder below `source_roots`, s3://..., az://..., gs://..., or storage:NAME; none: a list of URLs."
_LIST = "File with the wanted pictures, as JSON or one a line: names below the place, or URLs."
_OPENS = "Read what opens the address from standard input: a SAS, a key."
_OPENS_TO = "Read what opens --to from standard input, after the line with the place's secret if any."
_MODEL = "A profile (wild, urban), a model's id, or two detectors joined by +."
_VIDEO = "Look at video files as well, one frame a second."
_EVERY = "Seconds between two frames of a video file that are looked at."
_KEEP = "Weakest box kept in the files, so that a threshold can be changed later without inference."
_FORMAT = "What the answers are written as; several times for several files.  [default: megadetector]"
_TO = "Place in a cloud that the files go to as well: an address, or storage:NAME."
_COUNTRY = "Country (code or name): species that are not there are not named. auto: from the coordinates."


@app.command()
def submit(
    place: Annotated[str | None, typer.Argument(metavar="[PLACE]", help=_PLACE)] = None,
    *,
    list_file: Annotated[Path | None, typer.Option("--list", metavar="FILE", help=_LIST)] = None,
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", "--sas-stdin", help=_OPENS)] = False,
    prefix: Annotated[str, typer.Option(help="Only names that begin so.")] = "",
    suffix: Annotated[list[str] | None, typer.Option(help="Only names that end so; several times.")] = None,
    first_n: Annotated[int | None, typer.Option(help="Only the first so many.")] = None,
    sample_n: Annotated[int | None, typer.Option(help="Only so many of them, at random.")] = None,
    seed: Annotated[int, typer.Option(help="Makes the sample the same again.")] = 0,
    model: Annotated[str, typer.Option(help=_MODEL)] = "wild",
    detector: Annotated[str | None, typer.Option(help="Detector id, or two joined by +.")] = None,
    classifier: Annotated[str | None, typer.Option(help="Classifier id.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Least confidence of a box that counts.")] = None,
    classify: Annotated[bool, typer.Option(help="Name the species of found animals.")] = True,
    country: Annotated[str | None, typer.Option(help=_COUNTRY)] = None,
    state: Annotated[str | None, typer.Option(help="State of the USA: two letters or a name.")] = None,
    latitude: Annotated[float | None, typer.Option(help="Degrees, north positive.")] = None,
    longitude: Annotated[float | None, typer.Option(help="Degrees, east positive.")] = None,
    smooth: Annotated[
        str, typer.Option(help="Labels from boxes of one picture: off, image or herd.")
    ] = "off",
    tiles: Annotated[int | None, typer.Option(help="Also look at so many tiles a side.")] = None,
    video: Annotated[bool, typer.Option("--video", help=_VIDEO)] = False,
    every: Annotated[float | None, typer.Option(metavar="SECONDS", help=_EVERY)] = None,
    file_format: Annotated[list[str] | None, typer.Option("--format", help=_FORMAT)] = None,
    keep_above: Annotated[float, typer.Option(help=_KEEP)] = 0.05,
    top_k: Annotated[int | None, typer.Option(help="Classes written for a box (all by default).")] = None,
    split: Annotated[str, typer.Option(help="One file for all, or one a folder or camera.")] = "whole",
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_TO)] = None,
    output_secret_stdin: Annotated[bool, typer.Option("--output-secret-stdin", help=_OPENS_TO)] = False,
    priority: Annotated[int, typer.Option(help="0 goes first, 9 last.")] = 0,
    name: Annotated[str | None, typer.Option(help="Part of the names of its files.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Use no answers of before.")] = False,
    user: _User = None,
    wait: Annotated[bool, typer.Option("--wait", help="Then do as `watch` does.")] = False,
    json: _Json = False,
) -> None:
    """Hand pictures to the server of this home; prints the batch's id."""
    from okapia.cli import batch_submit, batch_watch

    source = {
        **batch_submit.place_of(place),
        "prefix": prefix,
        "suffixes": suffix,
        "first_n": first_n,
        "sample_n": sample_n,
        "seed": seed,
    }
    options = {
        "threshold": threshold,
        "classify": classify,
        "country": country,
        "state": state,
        "latitude": latitude,
        "longitude": longitude,
        "smooth": smooth,
        "tiles": tiles,
        "frames": batch_submit.frames_of(is_asked=video, every=every),
    }
    outputs = {
        "formats": file_format,
        "keep_above": keep_above,
        "top_k": top_k,
        "split": split,
        **batch_submit.place_of(to),
    }
    source["secret"], outputs["secret"] = batch_submit.read_secrets(
        has_source=secret_stdin, has_output=output_secret_stdin
    )
    asked = {
        "source": source,
        "options": options,
        "outputs": outputs,
        "model": model,
        "detector": detector,
        "classifier": classifier,
        "priority": priority,
        "name": name,
        "no_cache": no_cache,
    }
    batch_id = batch_submit.submit(asked, list_file, user=user, as_json=json and not wait)
    if wait:
        raise typer.Exit(batch_watch.watch(batch_id, user=user, as_json=json))


@app.command()
def watch(batch_id: _Id, *, user: _User = None, json: _JsonLines = False) -> None:
    """Follow a batch until it ends or halts.

    Exit codes: 0 all pictures have an answer, 1 some have none, 2 it failed or was canceled, 3 it is halted.
    """
    from okapia.cli import batch_watch

    raise typer.Exit(batch_watch.watch(batch_id, user=user, as_json=json))


@app.command("list")
def list_batches(*, user: _User = None, json: _Json = False) -> None:
    """List the batches, newest first."""
    from okapia.cli import batch_desk

    typer.echo(batch_desk.list_as_json(user) if json else batch_desk.list_as_text(user))


@app.command()
def pause(batch_id: _Id, *, user: _User = None) -> None:
    """Halt a batch: what is being worked on is finished, nothing else is begun."""
    from okapia.cli import batch_desk

    batch_desk.pause(batch_id, user=user)


@app.command()
def resume(
    batch_id: _Id,
    *,
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", "--sas-stdin", help=_OPENS)] = False,
    output_secret_stdin: Annotated[bool, typer.Option("--output-secret-stdin", help=_OPENS_TO)] = False,
    user: _User = None,
) -> None:
    """Go on with a halted batch, with other secrets where its own were refused or have expired."""
    from okapia.cli import batch_desk, batch_submit

    secrets = batch_submit.read_secrets(has_source=secret_stdin, has_output=output_secret_stdin)
    batch_desk.resume(batch_id, *secrets, user=user)


@app.command()
def cancel(batch_id: _Id, *, user: _User = None) -> None:
    """End a batch; only what has an answer by then is paid for."""
    from okapia.cli import batch_desk

    batch_desk.cancel(batch_id, user=user)


@app.command()
def verify(batch_id: _Id, *, user: _User = None, json: _Json = False) -> None:
    """Count the pictures of a batch anew, from the files of answers alone, and compare with the books.

    Exit codes: 0 they say the same, 1 they differ.
    """
    from okapia.cli import batch_desk

    raise typer.Exit(batch_desk.verify(batch_id, user=user, as_json=json))


@app.command()
def results(
    batch_id: _Id,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")],
    user: _User = None,
) -> None:
    """Copy the files of a completed batch into a folder."""
    from okapia.cli import batch_desk

    batch_desk.copy_results(batch_id, output, user=user)
