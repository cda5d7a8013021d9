"""Labels, ancestors and ids, with real animals: on small maps, and on SpeciesNet's own files."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import (
    ANIMAL,
    BLANK,
    HUMAN,
    ROOT,
    SPECIAL,
    UNKNOWN,
    VEHICLE,
    Rank,
    Taxon,
    Taxonomy,
    parse_key,
    parse_labels,
)


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

SPECIESNET_HUMAN = "990ae9dd-7a59-4344-afcb-1b7b21368000"

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


def test_a_taxon_without_its_parent_is_refused() -> None:
    with pytest.raises(ValueError, match="no parent"):
        Taxonomy([RED_FOX])


def test_two_taxa_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="share the key"):
        Taxonomy([MAMMAL, taxon("mammalia", name="beast")])


def test_a_label_is_read_whatever_its_case_and_spaces() -> None:
    read = Taxon.from_label(" ID-Red Fox;Mammalia; carnivora;canidae;vulpes;vulpes;red fox\n")

    assert read == RED_FOX


name = st.text("abcdefghij- '", min_size=1).map(str.strip).filter(bool)


@given(st.tuples(name, st.lists(name, max_size=5), name))
def test_reading_undoes_writing(parts: tuple[str, list[str], str]) -> None:
    taxon_id, ranks, common_name = parts
    taxon = Taxon(*(taxon_id, *ranks, *[""] * (5 - len(ranks)), common_name))

    assert Taxon.from_label(taxon.label) == taxon


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("mammalia;carnivora", r"expected the 7 parts id;class;.*, got 2: 'mammalia;carnivora'"),
        ("id;mammalia;;canidae;;;dog", "expected a name for every rank above the lowest named one"),
        ("", "got 1: ''"),
    ],
)
def test_what_is_no_label_is_refused(label: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Taxon.from_label(label)


def test_five_parts_are_the_key_of_a_taxon() -> None:
    assert parse_key("Mammalia;carnivora;canidae;;") == CANINES.key
    assert parse_key(";;;;") == ROOT


@pytest.mark.parametrize("text", ["canidae", "mammalia;carnivora;canidae;;;", ";carnivora;;;"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected"):
        parse_key(text)


def test_the_special_labels_are_speciesnets() -> None:
    assert [special.label for special in SPECIAL] == [
        "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal",
        "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human",
        "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank",
        "e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle",
        "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb;" + ";".join(["no cv result"] * 6),
    ]
    assert [Taxon.from_label(special.label) for special in SPECIAL] == list(SPECIAL)


@pytest.mark.parametrize("label", [BLANK, VEHICLE, UNKNOWN])
def test_what_is_no_animal_has_no_place_in_the_tree(label: Taxon) -> None:
    assert not label.is_animal
    assert label.rank is Rank.KINGDOM
    assert label.scientific_name == ""
    assert [TAXONOMY.ancestor(label, rank) for rank in Rank] == [None] * 6
    assert TAXONOMY.ancestors(label) == ()


def test_ancestors_are_given_nearest_first() -> None:
    assert TAXONOMY.ancestors(RED_FOX) == (VULPES, CANINES, CARNIVORES, MAMMAL, ANIMAL)
    assert TAXONOMY.ancestors(ANIMAL) == ()


@pytest.mark.parametrize(
    ("taxa", "expected"),
    [
        ((RED_FOX, ARCTIC_FOX), VULPES),
        ((RED_FOX, COYOTE), CANINES),
        ((RED_FOX, VULPES), VULPES),
        ((RED_FOX,), RED_FOX),
        ((RED_FOX, BIRD), ANIMAL),
        ((RED_FOX, BLANK), None),
        ((), None),
    ],
)
def test_the_common_ancestor_of_several_taxa(taxa: tuple[Taxon, ...], expected: Taxon | None) -> None:
    assert TAXONOMY.common_ancestor(taxa) == expected


def test_a_taxon_is_found_by_its_id() -> None:
    assert TAXONOMY.by_id("ID-red fox") == RED_FOX
    assert TAXONOMY.by_id(BLANK.id) == BLANK
    assert TAXONOMY.by_id("nobody") is None


def test_a_line_that_is_no_label_is_named_by_its_number() -> None:
    lines = [MAMMAL.label, "", "carnivores"]

    with pytest.raises(InvalidRequest, match="line 3: expected the 7 parts"):
        Taxonomy.from_labels(lines)


def test_a_taxonomy_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="got none"):
        Taxonomy.from_labels(["", "\n"])


def test_of_labels_with_one_key_the_last_counts_and_both_ids_find_it() -> None:
    other = Taxon("id-other", *RED_FOX.key, common_name="fox")

    taxonomy = Taxonomy.from_labels([RED_FOX.label, other.label])

    assert taxonomy[RED_FOX.key] == other
    assert taxonomy.by_id(RED_FOX.id) == taxonomy.by_id("id-other") == other


def test_blank_and_vehicle_lose_their_key_to_animal_wherever_they_stand() -> None:
    taxonomy = Taxonomy.from_labels([ANIMAL.label, MAMMAL.label, VEHICLE.label, BLANK.label, UNKNOWN.label])

    assert taxonomy[ROOT] == ANIMAL
    assert set(taxonomy) == {ANIMAL, HUMAN, MAMMAL}


def test_the_key_of_human_is_human_whatever_the_file_says() -> None:
    person = Taxon("id-person", *HUMAN.key, common_name="person")

    taxonomy = Taxonomy.from_labels([person.label])

    assert taxonomy[HUMAN.key] == HUMAN
    assert taxonomy.by_id("id-person") == HUMAN


def test_in_a_file_of_labels_a_parent_may_be_missing() -> None:
    taxonomy = Taxonomy.from_labels([RED_FOX.label, CANINES.label])

    assert taxonomy.ancestor(RED_FOX, Rank.GENUS) is None
    assert taxonomy.ancestors(RED_FOX) == (CANINES, ANIMAL)


def test_an_empty_line_between_labels_is_refused_for_it_shifts_those_below() -> None:
    with pytest.raises(InvalidRequest, match="line 2: expected a seven-part label, got an empty line"):
        parse_labels([BLANK.label, " ", RED_FOX.label, ""])


def test_the_end_of_a_labels_file_may_be_empty_and_its_lines_end_in_spaces() -> None:
    assert parse_labels([f"\ufeff{BLANK.label}  \n", f"{RED_FOX.label}\n", "\n"]) == (BLANK, RED_FOX)


def real_lines(shared_data: Path, name: str) -> list[str]:
    return (shared_data / "speciesnet" / name).read_text(encoding="utf-8").splitlines()


def real_labels(shared_data: Path) -> list[str]:
    return real_lines(shared_data, "always_crop_99710272_22x8_v12_epoch_00148.labels.txt")


def real_taxonomy(shared_data: Path) -> list[str]:
    return real_lines(shared_data, "taxonomy_release.txt")


def test_all_real_labels_are_read_and_written_again(shared_data: Path) -> None:
    lines = [*real_labels(shared_data), *real_taxonomy(shared_data)]

    assert len(lines) == 2_498 + 3_538
    assert [line for line in lines if Taxon.from_label(line).label != line] == []


def test_the_ranks_of_the_real_labels_are_as_many_as_documented(shared_data: Path) -> None:
    ranks = Counter(label.rank for label in parse_labels(real_labels(shared_data)) if label.is_animal)

    assert [ranks[rank] for rank in reversed(Rank)] == [2_066, 283, 108, 30, 9, 0]


def test_the_ranks_of_the_real_taxonomy_are_as_many_as_documented(shared_data: Path) -> None:
    ranks = Counter(taxon.rank for taxon in Taxonomy.from_labels(real_taxonomy(shared_data)))

    assert [ranks[rank] for rank in reversed(Rank)] == [2_064, 1_129, 275, 58, 9, 1]


def test_three_real_labels_are_in_the_taxonomy_by_their_key_only(shared_data: Path) -> None:
    taxonomy = Taxonomy.from_labels(real_taxonomy(shared_data))

    absent = [label for label in parse_labels(real_labels(shared_data)) if not taxonomy.by_id(label.id)]

    assert sorted((label.scientific_name, label.id[:8]) for label in absent) == [
        ("Ardea alba", "1744bcc8"),
        ("Artiodactyla", "797b2c80"),
        ("Copsychus malabaricus", "15ecc823"),
    ]
    assert [label.id for label in absent if label.key not in taxonomy] == []


def test_every_real_label_of_an_animal_has_all_its_ancestors(shared_data: Path) -> None:
    taxonomy = Taxonomy.from_labels(real_taxonomy(shared_data))

    incomplete = [
        label.label
        for label in parse_labels(real_labels(shared_data))
        if label.is_animal and len(taxonomy.ancestors(label)) != list(Rank).index(label.rank)
    ]

    assert incomplete == []


def test_the_real_human_is_human_and_its_genus_is_another_taxon(shared_data: Path) -> None:
    taxonomy = Taxonomy.from_labels(real_taxonomy(shared_data))

    assert taxonomy.by_id(SPECIESNET_HUMAN) == HUMAN
    assert taxonomy.ancestor(HUMAN, Rank.GENUS) not in {HUMAN, None}
