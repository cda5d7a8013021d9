"""Where the pictures of a run were taken, by what a person said or by where the cameras stood."""

import typer

from okapia.cli.run_plan import SpeciesPlan
from okapia.domain.errors import CamerasWithoutPlace, InvalidRequest
from okapia.pipeline.deployments import Deployments
from okapia.service import AUTO, ResolvedPlace, Species


def place_of(asked: SpeciesPlan, species: Species) -> ResolvedPlace:
    """Look up where the pictures were taken; what was not used of it is said.

    Raises:
        InvalidRequest: the place is none, or the cameras stood in several countries or states.
        CamerasWithoutPlace: the table of deployments does not say where some stood.
    """
    if asked.asks_deployments:
        found = _where_cameras_stood(species, asked.table)
    else:
        found = species.place(asked.country, asked.state, asked.latitude, asked.longitude)
    for warning in found.warnings:
        typer.echo(f"okapia: warning: {warning.message}", err=True)
    return found


def _where_cameras_stood(species: Species, table: Deployments) -> ResolvedPlace:
    """Give the country that all deployments lie in."""
    if lacking := sorted({row.camera for row in table.rows if row.place is None}):
        raise CamerasWithoutPlace(lacking)
    points = [row.place for row in table.rows if row.place is not None]
    places = {species.place(AUTO, None, p.latitude, p.longitude).where for p in points}
    if len(places) != 1:
        names = ", ".join(sorted("-".join(filter(None, (w.country, w.state))) or "nowhere" for w in places))
        raise InvalidRequest(
            f"expected deployments in one country and state, got {names or 'none'}; run each by itself",
            param="country",
        )
    return ResolvedPlace(places.pop())
