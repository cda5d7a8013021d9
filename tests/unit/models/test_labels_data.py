"""The two hand-written label tables: ImageNet's animals, and the taxa they name."""

import csv
from collections import Counter
from importlib.resources import files
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

Key = tuple[str, str, str, str, str]

RANKS = ("class", "order", "family", "genus", "species")
ROOT: Key = ("", "", "", "", "")
ROOT_ID = "1f689929-883d-4dae-958c-3d57ab5b6c16"
HUMAN: Key = ("mammalia", "primates", "hominidae", "homo", "sapiens")
DOG_BREEDS = range(151, 269)
DOMESTIC_CATS = range(281, 286)


def read_rows(name: str) -> list[dict[str, str]]:
    text = (files("okapia.models") / "labels" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def key_of(row: dict[str, str]) -> Key:
    return (row["class"], row["order"], row["family"], row["genus"], row["species"])


def parent_of(key: Key) -> Key:
    lowest = max(rank for rank, token in enumerate(key) if token)
    blanked = [token if rank < lowest else "" for rank, token in enumerate(key)]
    return (blanked[0], blanked[1], blanked[2], blanked[3], blanked[4])


ANIMALS = read_rows("imagenet-animals.csv")
TAXA = read_rows("taxa.csv")
TAXA_BY_KEY = {key_of(row): row for row in TAXA}
ANIMALS_BY_INDEX = {int(row["index"]): row for row in ANIMALS}


def test_the_animals_table_has_the_documented_columns() -> None:
    assert list(ANIMALS[0]) == ["index", "label", *RANKS, "common_name"]


def test_the_taxa_table_has_the_documented_columns() -> None:
    assert list(TAXA[0]) == ["id", *RANKS, "common_name"]


def test_there_is_one_row_for_each_of_the_398_animal_classes_in_order() -> None:
    assert [row["index"] for row in ANIMALS] == [str(index) for index in range(398)]


def test_every_animal_has_a_label() -> None:
    assert [row["index"] for row in ANIMALS if not row["label"].strip()] == []


@pytest.mark.parametrize("rows", [ANIMALS, TAXA], ids=["animals", "taxa"])
def test_taxonomy_and_common_names_are_lower_case_and_trimmed(rows: list[dict[str, str]]) -> None:
    cells = [row[column] for row in rows for column in (*RANKS, "common_name")]

    assert [cell for cell in cells if cell != cell.lower().strip()] == []


@pytest.mark.parametrize("rows", [ANIMALS, TAXA], ids=["animals", "taxa"])
def test_no_rank_is_filled_below_an_empty_one(rows: list[dict[str, str]]) -> None:
    gaps = [key for key in map(key_of, rows) if list(key) != sorted(key, key=lambda token: not token)]

    assert gaps == []


@pytest.mark.parametrize("rows", [ANIMALS, TAXA], ids=["animals", "taxa"])
def test_no_cell_holds_the_separator_of_a_label_line(rows: list[dict[str, str]]) -> None:
    assert [row for row in rows if any(";" in cell for cell in row.values())] == []


def test_every_animal_is_placed_at_least_in_a_class() -> None:
    assert [row["label"] for row in ANIMALS if not row["class"]] == []


def test_every_animal_is_a_known_taxon() -> None:
    assert [row["label"] for row in ANIMALS if key_of(row) not in TAXA_BY_KEY] == []


def test_every_animal_carries_the_common_name_of_its_taxon() -> None:
    wrong = [row["label"] for row in ANIMALS if row["common_name"] != TAXA_BY_KEY[key_of(row)]["common_name"]]

    assert wrong == []


def test_the_first_taxon_is_the_root() -> None:
    assert TAXA[0] == {"id": ROOT_ID, **dict.fromkeys(RANKS, ""), "common_name": "animal"}


def test_taxa_are_sorted_by_rank_from_class_to_species() -> None:
    keys = [key_of(row) for row in TAXA]

    assert keys == sorted(keys)


def test_every_taxon_but_the_root_has_its_parent() -> None:
    orphans = [key for key in TAXA_BY_KEY if key != ROOT and parent_of(key) not in TAXA_BY_KEY]

    assert orphans == []


def test_the_taxa_are_the_animals_and_human_with_all_above_them_and_nothing_else() -> None:
    wanted = {ROOT}
    for named in (*map(key_of, ANIMALS), HUMAN):
        key = named
        while key != ROOT:
            wanted.add(key)
            key = parent_of(key)

    assert set(TAXA_BY_KEY) == wanted


def test_no_two_taxa_share_a_key() -> None:
    assert [key for key, count in Counter(map(key_of, TAXA)).items() if count > 1] == []


def test_no_two_taxa_share_an_id() -> None:
    assert [taxon for taxon, count in Counter(row["id"] for row in TAXA).items() if count > 1] == []


def test_every_taxon_id_is_a_uuid_in_canonical_form() -> None:
    assert [row["id"] for row in TAXA if str(UUID(row["id"])) != row["id"]] == []


def test_every_derived_id_can_be_computed_from_its_key() -> None:
    # SpeciesNet's own ids are random (version 4); ours are named (version 5).
    derived = [row for row in TAXA if UUID(row["id"]).version == 5]
    expected = [str(uuid5(NAMESPACE_URL, "okapia:taxon:" + ";".join(key_of(row)))) for row in derived]

    assert [row["id"] for row in derived] == expected


def test_every_taxon_has_a_common_name() -> None:
    assert [key_of(row) for row in TAXA if not row["common_name"]] == []


def test_all_118_dog_breeds_are_the_domestic_dog() -> None:
    breeds = Counter(";".join(key_of(ANIMALS_BY_INDEX[index])) for index in DOG_BREEDS)

    assert breeds == {"mammalia;carnivora;canidae;canis;familiaris": 118}


def test_nothing_but_the_118_breeds_is_the_domestic_dog() -> None:
    dogs = [int(row["index"]) for row in ANIMALS if row["common_name"] == "domestic dog"]

    assert dogs == list(DOG_BREEDS)


def test_all_house_cat_breeds_are_the_domestic_cat() -> None:
    cats = {ANIMALS_BY_INDEX[index]["common_name"] for index in DOMESTIC_CATS}

    assert cats == {"domestic cat"}


def test_human_keeps_the_id_that_speciesnet_gives_it() -> None:
    assert TAXA_BY_KEY[HUMAN]["id"] == "990ae9dd-7a59-4344-afcb-1b7b21368000"


@pytest.mark.parametrize(
    ("label", "key", "common_name"),
    [
        ("cock", "aves;galliformes;phasianidae;gallus;gallus domesticus", "domestic chicken"),
        ("hen", "aves;galliformes;phasianidae;gallus;gallus domesticus", "domestic chicken"),
        ("drake", "aves;anseriformes;anatidae;anas;platyrhynchos", "mallard"),
        ("goose", "aves;anseriformes;anatidae;;", "anatidae family"),
        ("vulture", "aves;;;;", "bird"),
        ("tusker", "mammalia;proboscidea;elephantidae;;", "elephantidae family"),
        ("African elephant", "mammalia;proboscidea;elephantidae;loxodonta;africana", "african elephant"),
        ("timber wolf", "mammalia;carnivora;canidae;canis;lupus", "grey wolf"),
        ("dingo", "mammalia;carnivora;canidae;canis;lupus dingo", "dingo"),
        ("African hunting dog", "mammalia;carnivora;canidae;lycaon;pictus", "african wild dog"),
        ("red fox", "mammalia;carnivora;canidae;vulpes;vulpes", "red fox"),
        ("Arctic fox", "mammalia;carnivora;canidae;vulpes;lagopus", "arctic fox"),
        ("grey fox", "mammalia;carnivora;canidae;urocyon;cinereoargenteus", "grey fox"),
        ("cougar", "mammalia;carnivora;felidae;puma;concolor", "puma"),
        ("American black bear", "mammalia;carnivora;ursidae;ursus;americanus", "american black bear"),
        ("skunk", "mammalia;carnivora;mephitidae;;", "skunk family"),
        ("sorrel", "mammalia;perissodactyla;equidae;equus;caballus", "domestic horse"),
        ("zebra", "mammalia;perissodactyla;equidae;equus;", "equus species"),
        ("hog", "mammalia;artiodactyla;suidae;sus;scrofa scrofa", "domestic pig"),
        ("wild boar", "mammalia;artiodactyla;suidae;sus;scrofa", "wild boar"),
        ("ox", "mammalia;artiodactyla;bovidae;bos;taurus", "domestic cattle"),
        ("ram", "mammalia;artiodactyla;bovidae;ovis;aries", "domestic sheep"),
        ("chimpanzee", "mammalia;primates;hominidae;pan;troglodytes", "chimpanzee"),
        ("Madagascar cat", "mammalia;primates;lemuridae;lemur;catta", "ring-tailed lemur"),
        ("African crocodile", "reptilia;crocodylia;crocodylidae;crocodylus;niloticus", "crocodile"),
        ("ant", "insecta;hymenoptera;formicidae;;", "ant family"),
        ("trilobite", "trilobita;;;;", "trilobite"),
    ],
)
def test_an_animal_is_placed_where_zoology_places_it(label: str, key: str, common_name: str) -> None:
    rows = [row for row in ANIMALS if row["label"] == label]

    assert [(";".join(key_of(row)), row["common_name"]) for row in rows] == [(key, common_name)]
