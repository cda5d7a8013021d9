"""Real animals, and groups of them, for the tests of smoothing."""

from hypothesis import strategies as st

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import Category
from okapia.pipeline.votes import Vote


def taxon(key: str, common_name: str) -> Taxon:
    """A taxon of a key such as `mammalia;carnivora`, its id made from its name."""
    class_, order, family, genus, species = [*key.split(";"), "", "", "", "", ""][:5]
    return Taxon(common_name.replace(" ", "-"), class_, order, family, genus, species, common_name)


BLANK = taxon("", "blank")
UNKNOWN = taxon(";".join(["no cv result"] * 5), "no cv result")
MAMMAL = taxon("mammalia", "mammal")
BIRD = taxon("aves", "bird")
CARNIVORE = taxon("mammalia;carnivora", "carnivorous mammal")
DOG_FAMILY = taxon("mammalia;carnivora;canidae", "canine family")
FOXES = taxon("mammalia;carnivora;canidae;vulpes", "vulpes species")
RED_FOX = taxon("mammalia;carnivora;canidae;vulpes;vulpes", "red fox")
WOLF = taxon("mammalia;carnivora;canidae;canis;lupus", "grey wolf")
DOG = taxon("mammalia;carnivora;canidae;canis;lupus familiaris", "domestic dog")
COYOTE = taxon("mammalia;carnivora;canidae;canis;latrans", "coyote")
DEER_FAMILY = taxon("mammalia;cetartiodactyla;cervidae", "cervidae family")
MOOSE = taxon("mammalia;cetartiodactyla;cervidae;alces;alces", "moose")
RED_DEER = taxon("mammalia;cetartiodactyla;cervidae;cervus;elaphus", "red deer")
BUCK = taxon("mammalia;cetartiodactyla;cervidae;cervus;elaphus", "red deer buck")
PHEASANT = taxon("aves;galliformes;phasianidae;phasianus;colchicus", "pheasant")

ALL = (
    ANIMAL, HUMAN, VEHICLE, BLANK, UNKNOWN, MAMMAL, BIRD, CARNIVORE, DOG_FAMILY, FOXES, RED_FOX, WOLF,
    DOG, COYOTE, DEER_FAMILY, MOOSE, RED_DEER, BUCK, PHEASANT,
)  # fmt: skip


def group(*taxa: Taxon, score: float = 0.9, confidence: float = 0.9) -> list[Vote]:
    """Animals of one picture, numbered from 0."""
    return [Vote(str(n), Category.ANIMAL, confidence, taxon, score) for n, taxon in enumerate(taxa)]


def groups() -> st.SearchStrategy[list[Vote]]:
    """Groups of up to fifteen detections of up to five taxa, some of them below every threshold."""
    votes = st.lists(
        st.tuples(
            st.sampled_from([Category.ANIMAL, Category.ANIMAL, Category.ANIMAL, Category.PERSON]),
            st.sampled_from([0.1, 0.15, 0.6, 0.9]),
            st.integers(0, 4),
            st.sampled_from([0.3, 0.5, 0.7, 0.9]),
        ),
        max_size=15,
    )
    pools = st.lists(st.sampled_from(ALL), min_size=5, max_size=5)
    return st.builds(
        lambda rows, pool: [
            Vote(f"d{n}", category, confidence, pool[number], score)
            for n, (category, confidence, number, score) in enumerate(rows)
        ],
        votes,
        pools,
    )
