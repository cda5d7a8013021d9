"""`okapia reproduce`: a sample of a results file inferred again and compared with what it says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okapia.cli.reproduce_run import Look, Reproduction

SOME_DIFFER = 1
"""Exit code when a picture's numbers are others, or it is another picture, or gone."""

_FOLDER = "Folder that the file's names are relative to (by default the one that it lies in)."
_SAMPLE = "Pictures that are looked at again; all of them when there are no more."
_GEOFENCE = "File of range rules that was put on top of the model's own."
_SPECIES_LIST = "CSV (latin, common) of the only taxa that an answer may be."


def reproduce(
    results: Annotated[Path, typer.Argument(help="Results file of Okapia, in MegaDetector's format.")],
    folder: Annotated[Path | None, typer.Option(help=_FOLDER)] = None,
    sample: Annotated[int, typer.Option(help=_SAMPLE, min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Which pictures: the same number, the same pictures.")] = 0,
    geofence: Annotated[Path | None, typer.Option(help=_GEOFENCE)] = None,
    species_list: Annotated[Path | None, typer.Option(help=_SPECIES_LIST)] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda:N, tensorrt:N or directml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Infer a sample of a results file again and compare: does it say what these models say?

    Exit codes: 0 all the same, 1 something differs, 2 nothing could be compared.
    """
    from okapia.app import build_service
    from okapia.cli.bar import progress_bar
    from okapia.cli.logs import configure_logs
    from okapia.cli.reproduce_run import Reproduction, State, draw_sample, settings_of
    from okapia.formats.written import WrittenResults
    from okapia.service.manifest import Manifest
    from okapia.settings import load_settings

    settings = load_settings(geofence=geofence, species_list=species_list, device=device)
    configure_logs(settings.log_level)
    written = WrittenResults(results)
    manifest = Manifest.read(written.manifest)
    images = draw_sample(written, size=sample, seed=seed)
    service = build_service(settings_of(manifest, settings))
    try:
        reproduction = Reproduction(
            written,
            manifest,
            service=service,
            root=folder or results.parent,
            max_bytes=settings.max_file_bytes,
        )
        if not as_json:
            typer.echo(_head(reproduction))
        with progress_bar(len(images), is_quiet=as_json) as advance:
            looks = reproduction.looks(images, advance=advance)
    finally:
        service.close()
    typer.echo(_as_json(reproduction, looks) if as_json else _as_text(looks, total=len(written)))
    raise typer.Exit(0 if all(look.state is State.SAME for look in looks) else SOME_DIFFER)


def _head(reproduction: "Reproduction") -> str:
    """Say what is otherwise than when the file was made, and what is allowed therefore."""
    differences = [f"  {difference}" for difference in reproduction.differences]
    lines = ["Otherwise than when the file was made:", *differences] if differences else []
    allowed = reproduction.tolerance
    if reproduction.is_alike:
        return "\n".join(
            [*lines, "All is as it was when the file was made: every number has to be the same."]
        )
    sentence = f"Numbers may differ: confidences by {allowed.confidence}, boxes by {allowed.box}."
    return "\n".join([*lines, sentence])


def _as_text(looks: "Sequence[Look]", *, total: int) -> str:
    """Name what is not the same, then count."""
    lines = []
    for look in looks:
        if look.state != "same":
            lines += [f"{look.file}: {look.state}", *(f"  {note}" for note in look.notes)]
    same = sum(look.state == "same" for look in looks)
    return "\n".join([*lines, f"{same} of {len(looks)} pictures are the same; {total} are in the file"])


def _as_json(reproduction: "Reproduction", looks: "Sequence[Look]") -> str:
    import orjson

    document = {
        "differences": reproduction.differences,
        "is_alike": reproduction.is_alike,
        "tolerance": reproduction.tolerance,
        "pictures": looks,
    }
    return orjson.dumps(document).decode()
