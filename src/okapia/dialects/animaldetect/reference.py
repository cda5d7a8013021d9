"""The reference lists: which taxa and which countries there are, and what may be where."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from okapia.domain.callers import Scope
from okapia.domain.errors import NotFound, UnknownCountry
from okapia.domain.taxonomy import Rank, Taxon
from okapia.service import Species
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json


class Ranks(BaseModel):
    """The named ranks of a taxon; lower ones are empty."""

    class_: Annotated[str, Field(serialization_alias="class")]
    order: str
    family: str
    genus: str
    species: str


class SpeciesRow(BaseModel):
    """One taxon of a list."""

    id: str
    common_name: str
    scientific_name: str
    rank: str
    taxonomy: Ranks


class SpeciesDetail(SpeciesRow):
    """One taxon, and the codes of the countries where it may be the answer."""

    countries: list[str]


class Page(BaseModel):
    """Which part of a list this is."""

    total: int
    limit: int
    offset: int
    has_more: bool


class SpeciesPage(BaseModel):
    """A part of a list of taxa."""

    country: str | None = None
    species: list[SpeciesRow]
    pagination: Page


class CountryRow(BaseModel):
    """One country; only the USA has states."""

    code: str
    cca2: str
    name: str
    admin1_supported: bool


class Countries(BaseModel):
    """Every country."""

    countries: list[CountryRow]


class SpeciesQuery(BaseModel):
    """Which taxa a caller wants to see; without `rank` the species."""

    search: str = ""
    class_: Annotated[str, Query(alias="class")] = ""
    order: str = ""
    family: str = ""
    genus: str = ""
    rank: Rank = Rank.SPECIES
    limit: Annotated[int, Query(ge=1, le=100)] = 50
    offset: Annotated[int, Query(ge=0)] = 0

    def fits(self, taxon: Taxon) -> bool:
        asked = (self.class_, self.order, self.family, self.genus)
        return taxon.rank is self.rank and all(
            not want or want.lower() == has for want, has in zip(asked, taxon.key, strict=False)
        )


def build(context: Context) -> APIRouter:
    """Make the lists of taxa and countries."""
    router = APIRouter(prefix="/v1", tags=["reference"], route_class=door(context, problem_json))
    species = context.service.species
    Asked = Annotated[SpeciesQuery, Depends()]  # noqa: N806 - a type

    @router.get("/species", response_model=SpeciesPage)
    @needs(Scope.READ)
    def list_species(query: Asked, country: str | None = None) -> Response:
        """List the species that the default classifier can name, by search, rank and country."""
        return _json(_page(species, query, country))

    @router.get("/species/{taxon_id}", response_model=SpeciesDetail)
    @needs(Scope.READ)
    def show_species(taxon_id: str) -> Response:
        """Say what a taxon is, and in which countries it may be the answer."""
        return _json(_detail(species, taxon_id))

    @router.get("/countries", response_model=Countries)
    @needs(Scope.READ)
    def list_countries() -> Response:
        """List every country."""
        return _json(Countries(countries=[_country(c.cca3, c.cca2, c.name) for c in species.countries()]))

    @router.get("/countries/{code}/species", response_model=SpeciesPage)
    @needs(Scope.READ)
    def list_country_species(code: str, query: Asked) -> Response:
        """List the species that may be the answer in a country."""
        try:
            return _json(_page(species, query, code))
        except UnknownCountry as error:
            raise NotFound(str(error)) from error

    return router


def _page(species: Species, query: SpeciesQuery, country: str | None) -> SpeciesPage:
    where = species.place(country).where
    fitting = [taxon for taxon in species.taxa_of(country) if query.fits(taxon)]
    if query.search:
        found = set(species.search(query.search, limit=len(species.taxonomy)))
        fitting = [taxon for taxon in fitting if taxon in found]
    rows = sorted(fitting, key=lambda taxon: (taxon.common_name, taxon.scientific_name))
    page = Page(
        total=len(rows),
        limit=query.limit,
        offset=query.offset,
        has_more=query.offset + query.limit < len(rows),
    )
    shown = rows[query.offset : query.offset + query.limit]
    return SpeciesPage(country=where.country, species=[_row(taxon) for taxon in shown], pagination=page)


def _detail(species: Species, taxon_id: str) -> SpeciesDetail:
    taxon = species.taxonomy.by_id(taxon_id)
    if taxon is None:
        raise NotFound(f"no taxon of the default classifier has the id {taxon_id!r}")
    return SpeciesDetail(**_row(taxon).model_dump(), countries=list(species.countries_of(taxon)))


def _row(taxon: Taxon) -> SpeciesRow:
    return SpeciesRow(
        id=taxon.id,
        common_name=taxon.common_name,
        scientific_name=taxon.scientific_name,
        rank=taxon.rank,
        taxonomy=Ranks(
            class_=taxon.class_,
            order=taxon.order,
            family=taxon.family,
            genus=taxon.genus,
            species=taxon.species,
        ),
    )


def _country(cca3: str, cca2: str, name: str) -> CountryRow:
    return CountryRow(code=cca3, cca2=cca2, name=name, admin1_supported=cca3 == "USA")


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(by_alias=True, exclude_none=True), media_type="application/json")
