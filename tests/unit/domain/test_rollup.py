"""Scores that add up to a taxon that is certain enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.rollup import Rollup, roll_up
from okapia.domain.taxonomy import ANIMAL, BLANK, VEHICLE, Rank, Taxon
from tests.unit.domain.test_taxonomy import (
    ARCTIC_FOX,
    BIRD,
    CANINES,
    CARNIVORES,
    COYOTE,
    MAMMAL,
    RED_FOX,
    TAXONOMY,
    VULPES,
)

ANYTHING = [*TAXONOMY, BLANK, VEHICLE]
scores = st.dictionaries(st.sampled_from(ANYTHING), st.floats(0, 1), max_size=5)


def test_two_foxes_roll_up_to_their_genus() -> None:
    rolled = roll_up({RED_FOX: 0.4, ARCTIC_FOX: 0.3}, TAXONOMY, threshold=0.65)

    assert rolled is not None
    assert (rolled.taxon, rolled.rank) == (VULPES, Rank.GENUS)
    assert rolled.score == pytest.approx(0.7)


def test_a_fox_and_a_coyote_roll_up_to_their_family() -> None:
    rolled = roll_up({RED_FOX: 0.4, COYOTE: 0.3}, TAXONOMY, threshold=0.65)

    assert rolled is not None
    assert rolled.taxon == CANINES


def test_a_fox_and_a_bird_roll_up_to_animal() -> None:
    rolled = roll_up({RED_FOX: 0.4, BIRD: 0.3}, TAXONOMY, threshold=0.65)

    assert rolled is not None
    assert (rolled.taxon, rolled.rank) == (ANIMAL, Rank.KINGDOM)


def test_a_sum_that_only_equals_the_threshold_is_not_enough() -> None:
    assert roll_up({RED_FOX: 0.25, ARCTIC_FOX: 0.25}, TAXONOMY, threshold=0.5) is None


def test_nothing_rolls_up_to_nothing() -> None:
    assert roll_up({}, TAXONOMY, threshold=0.1) is None


def test_blank_and_vehicle_add_nothing_anywhere() -> None:
    assert roll_up({BLANK: 0.5, VEHICLE: 0.4, RED_FOX: 0.1}, TAXONOMY, threshold=0.2) is None


def test_animal_itself_adds_to_the_kingdom() -> None:
    rolled = roll_up({ANIMAL: 0.4, BIRD: 0.3}, TAXONOMY, threshold=0.65)

    assert rolled is not None
    assert rolled.taxon == ANIMAL


def test_a_refused_ancestor_makes_way_for_the_next_best_at_its_rank() -> None:
    rolled = roll_up(
        {RED_FOX: 0.5, COYOTE: 0.4},
        TAXONOMY,
        threshold=0.3,
        ranks=[Rank.GENUS],
        allows=lambda taxon: taxon != VULPES,
    )

    assert rolled is not None
    assert (rolled.taxon.genus, rolled.score) == ("canis", 0.4)


def test_of_equal_sums_the_first_counts() -> None:
    rolled = roll_up({COYOTE: 0.4, RED_FOX: 0.4}, TAXONOMY, threshold=0.3)

    assert rolled is not None
    assert rolled.taxon.genus == "canis"


def test_scores_that_add_up_to_more_than_one_are_given_as_one() -> None:
    assert roll_up({RED_FOX: 0.9, ARCTIC_FOX: 0.9}, TAXONOMY, threshold=0.65) == Rollup(
        VULPES, 1.0, Rank.GENUS
    )


def test_a_higher_taxon_counts_at_its_own_rank() -> None:
    rolled = roll_up({CARNIVORES: 0.5, MAMMAL: 0.3}, TAXONOMY, threshold=0.65)

    assert rolled is not None
    assert rolled.taxon == MAMMAL


@given(scores)
def test_a_roll_up_is_never_more_specific_than_what_it_sums(seen: dict[Taxon, float]) -> None:
    rolled = roll_up(seen, TAXONOMY, threshold=0.3)

    ranks = list(Rank)
    if rolled is not None:
        summed = [taxon for taxon in seen if rolled.taxon in {taxon, *TAXONOMY.ancestors(taxon)}]
        assert [taxon for taxon in summed if ranks.index(taxon.rank) < ranks.index(rolled.rank)] == []
        assert min(sum(seen[taxon] for taxon in summed), 1.0) == pytest.approx(rolled.score)


@given(scores)
def test_a_higher_threshold_never_gives_a_lower_taxon(seen: dict[Taxon, float]) -> None:
    cautious, bold = (roll_up(seen, TAXONOMY, threshold=threshold) for threshold in (0.6, 0.3))

    ranks = list(Rank)
    assert cautious is None or (bold is not None and ranks.index(cautious.rank) <= ranks.index(bold.rank))
