"""Ancestors and roll-up, with real animals and small maps."""

import pytest

from okapia.domain.taxonomy import ANIMAL, Rank, Taxon, Taxonomy, roll_up


def taxon(*parts: str, name: str) -> Taxon:
    class_, order, family, genus, species = (*parts, *("",) * (5 - len(parts)))
    return Taxon(f"id-{name}", class_, order, family, genus, species, name)


MAMMAL = taxon("mammalia", name="mammal")
CARNIVORES = taxon("mammalia", "carnivora", name="carnivores")
CANINES = taxon("mammalia", "carnivora", "canidae", name="canine family")
VULPES = taxon("mammalia", "carnivora", "canidae", "vulpes", name="vulpes species")
CANIS = taxon("mammalia", "carnivora", "canidae", "canis", name="canis species")
RED_FOX = taxon("mammalia", "carnivora", "canidae", "vulpes", "vulpes", name="red fox")
ARCTIC_FOX = taxon("mammalia", "carnivora", "canidae", "vulpes", "lagopus", name="arctic fox")
COYOTE = taxon("mammalia", "carnivora", "canidae", "canis", "latrans", name="coyote")
BIRD = taxon("aves", name="bird")
TAXONOMY = Taxonomy([MAMMAL, CARNIVORES, CANINES, VULPES, CANIS, RED_FOX, ARCTIC_FOX, COYOTE, BIRD])


def test_a_species_knows_its_rank_and_binomial() -> None:
    assert RED_FOX.rank is Rank.SPECIES
    assert RED_FOX.scientific_name == "Vulpes vulpes"
    assert CANINES.scientific_name == "Canidae"
    assert ANIMAL.scientific_name == ""


def test_a_label_is_speciesnets_seven_parts() -> None:
    assert RED_FOX.label == "id-red fox;mammalia;carnivora;canidae;vulpes;vulpes;red fox"


@pytest.mark.parametrize(
    ("rank", "expected"),
    [(Rank.GENUS, VULPES), (Rank.FAMILY, CANINES), (Rank.CLASS, MAMMAL), (Rank.KINGDOM, ANIMAL)],
)
def test_the_ancestors_of_a_red_fox(rank: Rank, expected: Taxon) -> None:
    assert TAXONOMY.ancestor(RED_FOX, rank) == expected


def test_a_bird_of_unknown_order_has_no_ancestor_at_order() -> None:
    assert TAXONOMY.ancestor(BIRD, Rank.ORDER) is None


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


def test_a_taxon_without_its_parent_is_refused() -> None:
    with pytest.raises(ValueError, match="no parent"):
        Taxonomy([RED_FOX])


def test_two_taxa_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="share the key"):
        Taxonomy([MAMMAL, taxon("mammalia", name="beast")])
