"""A small taxonomy of SpeciesNet's own labels, and what its rules are tried on."""

from okapia.domain.taxonomy import Taxon, Taxonomy
from okapia.domain.types import BBox, Category, Classification, Detection

LABELS = """\
f2d233e3-80e3-433d-9687-e29ecc7a467a;mammalia;;;;;mammal
eeeb5d26-2a47-4d01-a3de-10b33ec0aee4;mammalia;carnivora;;;;carnivorous mammal
df8514b0-10a5-411f-8ed6-0f415e8153a3;mammalia;carnivora;felidae;;;cat family
fbb23d07-6677-43db-b650-f99ac452c50f;mammalia;carnivora;felidae;panthera;;panthera species
ddf59264-185a-4d35-b647-2785792bdf54;mammalia;carnivora;felidae;panthera;leo;lion
aa000000-0000-4000-8000-000000000001;mammalia;carnivora;felidae;puma;;puma species
9c564562-9429-405c-8529-04cff7752282;mammalia;carnivora;felidae;puma;concolor;puma
ec1a70f4-41c0-4aba-9150-292fb2b7a324;mammalia;carnivora;ursidae;;;bear family
5a0f5e3f-c634-4b86-910a-b105cb526a24;mammalia;carnivora;ursidae;ursus;;ursus species
330bb1e9-84d6-4e41-afa9-938aee17ea29;mammalia;carnivora;ursidae;ursus;arctos;brown bear
e7f83bf6-df2c-4ce0-97fc-2f233df23ec4;mammalia;carnivora;ursidae;ursus;maritimus;polar bear
b1352069-a39c-4a84-a949-60044271c0c1;aves;;;;;bird
"""

TAXONOMY = Taxonomy.from_labels(LABELS.splitlines())


def named(common_name: str) -> Taxon:
    return next(taxon for taxon in TAXONOMY if taxon.common_name == common_name)


MAMMAL = named("mammal")
CARNIVORE = named("carnivorous mammal")
CATS = named("cat family")
PANTHERA = named("panthera species")
LION = named("lion")
PUMAS = named("puma species")
PUMA = named("puma")
BEARS = named("bear family")
URSUS = named("ursus species")
BROWN_BEAR = named("brown bear")
POLAR_BEAR = named("polar bear")
BIRD = named("bird")


def seen(*classes: tuple[Taxon, float]) -> tuple[Classification, ...]:
    return tuple(Classification(taxon, score) for taxon, score in classes)


def box(category: Category, confidence: float) -> Detection:
    return Detection(BBox(0, 0, 1, 1), category, confidence, category.value)


def animal(confidence: float) -> Detection:
    return box(Category.ANIMAL, confidence)


def person(confidence: float) -> Detection:
    return box(Category.PERSON, confidence)


def vehicle(confidence: float) -> Detection:
    return box(Category.VEHICLE, confidence)
