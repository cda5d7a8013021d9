"""The table of the zoo: found by any word, licences told apart."""

import pytest

from okapia.models.card import PROFILES
from okapia.models.weights.zoo.catalogue import entries, entry, needs_acceptance, search


def ids(text: str) -> set[str]:
    return {known.id for known in search(text)}


def test_every_id_and_alias_stands_once() -> None:
    names = [name.casefold() for known in entries() for name in (known.id, *known.aliases)]

    assert len(entries()) == 47
    assert len(set(names)) == len(names)


def test_the_profile_field_is_in_the_zoo_free_and_recommended() -> None:
    members = [entry(model_id) for model_id in PROFILES["field"].model_ids]

    assert [known.recommended for known in members if known] == [True, True]
    assert not any(needs_acceptance(known.licence) for known in members if known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("europe", {"Deepfaune-Europe", "european_mammals", "deepfaune-yolo8s"}),
        ("EUROPE classifier", {"Deepfaune-Europe"}),
        ("Species_Net", {"MDV5a"}),
        ("species_net_mdv5a", {"MDV5a"}),
        ("new zealand", {"nz-species", "nz-invasives"}),
        ("japan", {"gifu-japan"}),
        ("gpl-3.0 cedar", {"MD1000-cedar"}),
        ("non-commercial africa", {"sub-saharan-drylands", "namibian", "deep-forest-vision"}),
        ("atlantis", set()),
    ],
)
def test_a_search_finds_every_word_wherever_it_stands(text: str, expected: set[str]) -> None:
    assert ids(text) == expected


def test_no_word_finds_everything_with_the_recommended_first() -> None:
    found = search("")

    assert len(found) == len(entries())
    assert [known.recommended for known in found] == sorted((k.recommended for k in found), reverse=True)
    assert found[0].id == "MDV6-mit-yolov9-c"


def test_a_model_is_known_by_its_alias_in_any_case() -> None:
    known = entry("SPECIES_NET_mdv5a")

    assert known is not None
    assert known.id == "MDV5a"


def test_a_name_that_nobody_has_is_none() -> None:
    assert entry("yeti-finder") is None


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0"])
def test_a_free_licence_needs_no_acceptance(licence: str) -> None:
    assert not needs_acceptance(licence)


@pytest.mark.parametrize(
    "licence",
    ["AGPL-3.0", "GPL-3.0", "AGPL-3.0 and CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "unknown", ""],
)
def test_a_binding_or_unknown_licence_needs_acceptance(licence: str) -> None:
    assert needs_acceptance(licence)


def test_every_non_commercial_licence_is_marked_so() -> None:
    assert all(known.commercial != ("-NC-" in known.licence) for known in entries())
