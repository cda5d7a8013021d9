"""US states from coordinates, as SpeciesNet finds them: only where the country is the USA."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from okapia.domain.errors import PlacesUnavailable
from okapia.formats.speciesnet import Instance
from okapia.pipeline.countries import USA, parse_country
from okapia.pipeline.places import Coordinates, Places, resolve

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Located:
    """Pictures with their states, and what to tell the person."""

    instances: tuple[Instance, ...]
    warnings: tuple[str, ...] = ()


def located(instances: Sequence[Instance], *, home: Path) -> Located:
    """Add the state to pictures in the USA that have coordinates and no state of their own.

    Without the data pack of places they stay without a state, and a warning says so.
    """
    asking = [instance for instance in instances if _asks(instance)]
    if not asking:
        return Located(tuple(instances))
    try:
        places = Places.of_home(home)
    except PlacesUnavailable as error:
        return Located(
            tuple(instances),
            (f"US states of coordinates stay unknown ({len(asking)} of {len(instances)}): {error}",),
        )
    return _with_states(instances, places)


def _asks(instance: Instance) -> bool:
    return instance.country == USA and not instance.admin1_region and instance.latitude is not None


def _with_states(instances: Sequence[Instance], places: Places) -> Located:
    states: dict[Coordinates, str | None] = {}
    warnings: list[str] = []
    found = []
    for instance in instances:
        if not _asks(instance) or instance.latitude is None or instance.longitude is None:
            found.append(instance)
            continue
        point = Coordinates(instance.latitude, instance.longitude)
        if point not in states:
            place = resolve(parse_country(USA), None, point, places)
            states[point] = place.state.code if place.state else None
            warnings += [f"{instance.filepath}: {warning.message}" for warning in place.warnings]
        found.append(replace(instance, admin1_region=states[point]))
    return Located(tuple(found), (*warnings[:_SHOWN], *_rest(warnings)))


def _rest(warnings: Sequence[str]) -> tuple[str, ...]:
    hidden = len(warnings) - _SHOWN
    return (f"{hidden} more places whose coordinates were not used",) if hidden > 0 else ()
