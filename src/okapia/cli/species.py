"""`okapia taxa` and `okapia geofence`: what a model can answer with, and where it may."""

from pathlib import Path
from typing import Annotated

import typer

taxa = typer.Typer(no_args_is_help=True, help="Look up what a model can answer with.")
geofence = typer.Typer(no_args_is_help=True, help="Ask where a taxon may be the answer.")

_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_Model = Annotated[
    str | None, typer.Option(help="Classifier whose taxa and ranges count (the default one without it).")
]
_Taxonomy = Annotated[
    Path | None, typer.Option(help="File of seven-part labels, in place of a model's taxonomy.")
]
_STATE = "US state: two letters or its name."
_GEOFENCE = "Range rules (SpeciesNet's JSON, or CSV) on top of the model's."


@taxa.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="Latin or common name, or a part.")],
    *,
    model: _Model = None,
    taxonomy: _Taxonomy = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many taxa.")] = 20,
    as_json: _Json = False,
) -> None:
    """Find taxa by latin or common name, best first."""
    from okapia.cli.species_desk import search_taxa

    found = search_taxa(" ".join(words), model=model, taxonomy=taxonomy, limit=limit)
    typer.echo(found.as_json() if as_json else found.as_text())


@geofence.command()
def check(
    label: Annotated[
        str,
        typer.Argument(
            metavar="LABEL", help="Latin or common name, class;order;family;genus;species, or a whole label."
        ),
    ],
    country: Annotated[str, typer.Argument(metavar="COUNTRY", help="Code or name.")],
    *,
    state: Annotated[str | None, typer.Option(help=_STATE)] = None,
    model: _Model = None,
    taxonomy: _Taxonomy = None,
    rules: Annotated[Path | None, typer.Option("--geofence", help=_GEOFENCE)] = None,
    as_json: _Json = False,
) -> None:
    """Say whether a taxon may be the answer in a country, by which rule, and what it becomes if not."""
    from okapia.cli.species_desk import check_range
    from okapia.cli.species_files import SpeciesFiles

    files = SpeciesFiles(model=model, taxonomy=taxonomy, geofence=rules)
    verdict = check_range(label, country=country, state=state, files=files)
    typer.echo(verdict.as_json() if as_json else verdict.as_text())
