"""What holds for any boxes, scores, rules and places, on SpeciesNet's own taxonomy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, SPECIAL, VEHICLE, Rank, Taxon, Taxonomy, parent_keys
from okapia.domain.types import Category, Classification, Detection, RangeRule
from okapia.pipeline.ensemble import decide
from okapia.pipeline.geofence import Fence, Geofence, TaxonRules
from okapia.pipeline.geofence_build import amend_geofence
from okapia.pipeline.geofence_files import read_rules
from okapia.pipeline.species_list import SpeciesList
from okapia.pipeline.text_files import read_labels, read_taxonomy
from tests.unit.pipeline import carnivores

RANKS = list(Rank)
COUNTRIES = ["GBR", "KEN", "USA", "AUS"]
STATES = [None, "CA", "NY"]

regions = st.dictionaries(
    st.sampled_from(COUNTRIES), st.frozensets(st.sampled_from(["CA", "NY"])), max_size=3
)
rules = st.builds(TaxonRules, regions, regions)
fences = st.builds(
    Fence,
    st.builds(Geofence, st.dictionaries(st.sampled_from([t.key for t in carnivores.TAXONOMY]), rules)),
    st.sampled_from([None, *COUNTRIES]),
    st.sampled_from(STATES),
)
detections = st.none() | st.builds(
    carnivores.box, st.sampled_from(Category), st.sampled_from([0.2, 0.5, 0.7]) | st.floats(0, 1)
)
lists = st.builds(
    SpeciesList.of,
    st.lists(st.sampled_from([t for t in carnivores.TAXONOMY if t not in SPECIAL]), min_size=1),
    st.just(carnivores.TAXONOMY),
    walk=st.sampled_from(["up", "up_and_down"]),
)


@st.composite
def scored(draw: st.DrawFn, labels: list[Taxon]) -> tuple[Classification, ...]:
    """Classes with any scores, best first; they may sum to more than 1."""
    taxa = draw(st.lists(st.sampled_from(labels), min_size=1, max_size=7, unique=True))
    scores = draw(st.lists(st.floats(0, 1), min_size=len(taxa), max_size=len(taxa)))
    return tuple(map(Classification, taxa, sorted(scores, reverse=True)))


small = scored([*carnivores.TAXONOMY, BLANK, VEHICLE])


@given(detections, small, fences, st.none() | lists)
def test_the_geofence_never_lets_a_fenced_out_label_out(
    detection: Detection | None,
    seen: tuple[Classification, ...],
    fence: Fence,
    species_list: SpeciesList | None,
) -> None:
    prediction = decide(detection, seen, taxonomy=carnivores.TAXONOMY, fence=fence)
    if species_list is not None:
        prediction = species_list.restrict(prediction, fence)

    assert prediction.taxon in SPECIAL or fence.allows(prediction.taxon)


@given(detections, small, fences)
def test_the_same_question_has_the_same_answer(
    detection: Detection | None, seen: tuple[Classification, ...], fence: Fence
) -> None:
    first, second = (decide(detection, seen, taxonomy=carnivores.TAXONOMY, fence=fence) for _ in range(2))

    assert first == second


@given(detections, small, fences)
def test_an_answer_is_never_more_specific_than_a_class_that_was_seen(
    detection: Detection | None, seen: tuple[Classification, ...], fence: Fence
) -> None:
    taxon = decide(detection, seen, taxonomy=carnivores.TAXONOMY, fence=fence).taxon

    lineages = [{c.taxon, *carnivores.TAXONOMY.ancestors(c.taxon)} for c in seen]
    assert taxon in SPECIAL or any(taxon in lineage for lineage in lineages)


@given(detections, small, fences)
def test_the_score_is_one_that_somebody_gave(
    detection: Detection | None, seen: tuple[Classification, ...], fence: Fence
) -> None:
    prediction = decide(detection, seen, taxonomy=carnivores.TAXONOMY, fence=fence)

    assert 0.0 <= prediction.score <= 1.0
    if prediction.source == "detector":
        assert detection is not None
        assert prediction.score == detection.confidence


@given(detections, small, fences)
def test_where_scores_sum_to_one_a_taxon_is_kept_out_for_one_of_no_lower_rank(
    detection: Detection | None, seen: tuple[Classification, ...], fence: Fence
) -> None:
    total = max(sum(c.score for c in seen), 1.0)
    seen = tuple(Classification(c.taxon, c.score / total) for c in seen)
    prediction = decide(detection, seen, taxonomy=carnivores.TAXONOMY, fence=fence)

    for restriction in prediction.restrictions:
        assert restriction.rule in {RangeRule.ALLOW, RangeRule.BLOCK}
        assert not fence.allows(restriction.original)
        assert restriction.level is not None
        assert RANKS.index(restriction.level) <= RANKS.index(restriction.original.rank)


@given(small, fences, lists)
def test_a_species_list_only_gives_what_it_allows_and_is_content_with_that(
    seen: tuple[Classification, ...], fence: Fence, species_list: SpeciesList
) -> None:
    prediction = decide(None, seen, taxonomy=carnivores.TAXONOMY, fence=fence)

    once = species_list.restrict(prediction, fence)

    assert once.taxon in SPECIAL or once.taxon.key in species_list.children
    assert species_list.restrict(once, fence) == once


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "speciesnet"


@pytest.fixture(scope="module")
def real(folder: Path) -> Taxonomy:
    return read_taxonomy(folder / "taxonomy_release.txt")


@pytest.fixture(scope="module")
def labels(folder: Path) -> list[Taxon]:
    return list(read_labels(folder / "always_crop_99710272_22x8_v12_epoch_00148.labels.txt"))


@pytest.fixture(scope="module")
def geofence(folder: Path, real: Taxonomy) -> Geofence:
    return amend_geofence(Geofence({}), read_rules(folder / "geofence_fixes.csv"), taxonomy=real)


@given(
    data=st.data(), detection=detections, country=st.sampled_from(COUNTRIES), state=st.sampled_from(STATES)
)
def test_the_real_rules_never_let_a_fenced_out_label_out(  # noqa: PLR0917 - fixtures and what hypothesis draws
    real: Taxonomy,
    labels: list[Taxon],
    geofence: Geofence,
    data: st.DataObject,
    detection: Detection | None,
    country: str,
    state: str | None,
) -> None:
    kept_out = [label for label in labels if not geofence.at("GBR").allows(label)]
    fence = geofence.at(country, state)

    prediction = decide(detection, data.draw(scored(kept_out)), taxonomy=real, fence=fence)

    assert prediction.taxon in SPECIAL or fence.allows(prediction.taxon)


def test_every_real_label_that_is_fenced_out_ends_at_an_allowed_taxon_above_it(
    real: Taxonomy, labels: list[Taxon], geofence: Geofence
) -> None:
    fence = geofence.at("USA", "NY")
    kept_out = [label for label in labels if not fence.allows(label)]

    answers = [decide(None, [Classification(label, 0.9)], taxonomy=real, fence=fence) for label in kept_out]

    assert len(kept_out) > 50
    for label, answer in zip(kept_out, answers, strict=True):
        assert answer.taxon == ANIMAL or answer.taxon.key in parent_keys(label.key)
        assert fence.allows(answer.taxon)


def test_every_real_label_alone_and_sure_is_the_answer(real: Taxonomy, labels: list[Taxon]) -> None:
    other = [
        label.label
        for label in labels
        if label not in {BLANK, VEHICLE, HUMAN}
        and decide(None, [Classification(label, 0.9)], taxonomy=real).taxon != label
    ]

    assert other == []
