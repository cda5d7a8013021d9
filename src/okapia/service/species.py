"""What the answers mean where: places, ranges, and taxa by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.domain.taxon_search import search
from okapia.domain.taxonomy import Taxon, Taxonomy
from okapia.domain.types import Detection, Prediction, RangeRule, Where
from okapia.pipeline.countries import Country, State, all_countries, parse_country, parse_state
from okapia.pipeline.ensemble import classifications_of
from okapia.pipeline.geofence import geofence_step
from okapia.pipeline.naming import Naming
from okapia.pipeline.places import Place, Places, coordinates, resolve
from okapia.service.models import Models

AUTO = "auto"
"""In place of a country: the one that the coordinates lie in."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Why something that the caller said was not, or not wholly, used."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ResolvedPlace:
    """The place that a caller means."""

    where: Where
    warnings: tuple[Warned, ...] = ()


_UNUSED = Warned(
    "coordinates_without_country",
    "without a country the coordinates are not used; say country=auto to take it from them",
)


class Species:
    """Answers about species without a picture; safe to use from several threads."""

    def __init__(self, models: Models, *, home: Path) -> None:
        """Ask with the models of the profile `wild`; borders are read from `home` when they are needed."""
        self._models = models
        self._home = home
        self._loading = Lock()
        self._places: Places | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxa of the default classifier; raises `ModelError` when it cannot be loaded."""
        return self._naming.taxonomy

    def place(
        self,
        country: str | None,
        state: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> ResolvedPlace:
        """Give the codes of a place in whatever words it is named.

        Args:
            country: alpha-2, alpha-3, a name or an alias; `auto` for where the coordinates lie; without
                one nothing is checked against a range, wherever the coordinates lie.
            state: of the USA: two letters or a name.
            latitude, longitude: degrees; both or neither.

        Raises:
            UnknownCountry: with near misses.
            InvalidRequest: a state without the country that has it, a lone or impossible coordinate.
            PlacesUnavailable: the borders are needed and not installed.
        """
        point = coordinates(latitude, longitude)
        named = parse_country(country) if country and country != AUTO else None
        within = parse_state(named, state) if state else None
        if point is None or country is None:
            return _without_point(country, named, within, has_point=point is not None)
        return _found(resolve(named, within, point, self._borders()))

    def decide(
        self, detection: Detection | None, labels: Sequence[str], scores: Sequence[float], where: Where
    ) -> Prediction:
        """Answer by SpeciesNet's rules from a box and a classifier's seven-part labels and scores.

        Raises:
            InvalidRequest: a label or a score is none, or a code of `where` is wrong.
            ModelError: the default classifier, whose taxonomy and ranges count, cannot be loaded.
        """
        naming = self._naming
        return naming.decided(detection, classifications_of(labels, scores), naming.fence(where))

    def restrict(self, labels: Sequence[str], scores: Sequence[float], where: Where) -> Prediction:
        """Answer with the best class, or with what it becomes where it does not occur; no other rule.

        Args:
            labels: seven-part, best first, at least one.

        Raises:
            InvalidRequest: a label is none, or a code of `where` is wrong.
        """
        naming = self._naming
        ranked = classifications_of(labels, scores)
        return geofence_step(ranked, naming.taxonomy, naming.fence(where), decision="")

    def rule_for(self, taxon: Taxon, where: Where, *, choice: ModelChoice | None = None) -> RangeRule | None:
        """Name the rule that keeps a taxon out of a place; None when it may be the answer there.

        Args:
            choice: whose ranges count; those of the profile `wild` when None.
        """
        naming = self._models.naming(choice) if choice else self._naming
        return naming.fence(where).rule(taxon)

    def countries(self) -> tuple[Country, ...]:
        """Give every country that a place can be in."""
        return all_countries()

    def countries_of(self, taxon: Taxon) -> tuple[str, ...]:
        """Give the codes of the countries where a taxon may be the answer."""
        geofence = self._naming.geofence
        codes = (country.cca3 for country in all_countries())
        return tuple(code for code in codes if geofence.at(code).allows(taxon))

    def taxa_of(self, country: str | None) -> tuple[Taxon, ...]:
        """Give the taxa of the default classifier that may be the answer in a country, or anywhere.

        Raises:
            UnknownCountry: with near misses.
        """
        fence = self._naming.fence(self.place(country).where)
        return tuple(taxon for taxon in self.taxonomy if fence.allows(taxon))

    def search(self, words: str, *, limit: int = 20) -> tuple[Taxon, ...]:
        """Find taxa of the default classifier by latin or common name, best first."""
        return search(self.taxonomy, words, limit=limit)

    @property
    def _naming(self) -> Naming:
        return self._models.naming(self._models.choice())

    def _borders(self) -> Places:
        with self._loading:
            if self._places is None:
                self._places = Places.of_home(self._home)
            return self._places


def _without_point(
    country: str | None, named: Country | None, state: State | None, *, has_point: bool
) -> ResolvedPlace:
    if country == AUTO:
        raise InvalidRequest("country=auto needs latitude and longitude", param="country")
    unused = has_point and named is None
    return ResolvedPlace(_where(named, state), (_UNUSED,) if unused else ())


def _found(place: Place) -> ResolvedPlace:
    return ResolvedPlace(
        _where(place.country, place.state), tuple(Warned(w.code, w.message) for w in place.warnings)
    )


def _where(country: Country | None, state: State | None) -> Where:
    return Where(country.cca3 if country else None, state.code if state else None)
