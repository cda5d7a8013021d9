"""Geofences out of rows: what a row does, what spreads, what is refused."""

from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import HUMAN, ROOT, Key, Taxon, Taxonomy
from okapia.domain.types import RangeRule
from okapia.pipeline.geofence import Geofence, TaxonRules
from okapia.pipeline.geofence_build import STATES_OF_THE_USA, RuleRow, amend_geofence, build_geofence
from okapia.pipeline.geofence_files import read_geofence, read_rules
from okapia.pipeline.text_files import read_labels, read_taxonomy
from tests.unit.pipeline.carnivores import (
    BEARS,
    BROWN_BEAR,
    CARNIVORE,
    CATS,
    LION,
    MAMMAL,
    PANTHERA,
    POLAR_BEAR,
    PUMA,
    TAXONOMY,
    URSUS,
)

WHOLE: frozenset[str] = frozenset()
NOTHING = Geofence({})


def rows(*rules: tuple[Taxon, str, str, str]) -> list[RuleRow]:
    return [
        RuleRow(taxon.key, RangeRule(rule), country, state, f"line {line}")
        for line, (taxon, rule, country, state) in enumerate(rules, start=2)
    ]


def amended(*rules: tuple[Taxon, str, str, str], base: Geofence = NOTHING) -> Geofence:
    return amend_geofence(base, rows(*rules), taxonomy=TAXONOMY)


def test_the_first_allow_row_turns_everywhere_into_only_there() -> None:
    geofence = amended((LION, "allow", "KEN", ""))

    assert geofence.at("KEN").allows(LION)
    assert not geofence.at("GBR").allows(LION)


def test_a_further_allow_row_adds_a_country_or_a_state() -> None:
    base = Geofence({PUMA.key: TaxonRules(allow={"USA": frozenset({"CA"})})})

    geofence = amended((PUMA, "allow", "USA", "OR"), (PUMA, "allow", "MEX", ""), base=base)

    assert geofence.rules[PUMA.key].allow == {"USA": frozenset({"CA", "OR"}), "MEX": WHOLE}


@pytest.mark.parametrize("rule", ["allow", "block"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_row_for_a_country_overrides_rows_for_its_states_in_any_order(rule: str, order: int) -> None:
    pair = [(PUMA, rule, "USA", ""), (PUMA, rule, "USA", "CA")]

    rules = amended(*pair[::order]).rules[PUMA.key]

    assert (rules.allow or rules.block) == {"USA": WHOLE}


def test_a_row_for_a_state_does_not_narrow_a_country() -> None:
    base = Geofence({PUMA.key: TaxonRules(allow={"USA": WHOLE})})

    assert amended((PUMA, "allow", "USA", "CA"), base=base).rules[PUMA.key].allow == {"USA": WHOLE}


def test_block_wins_over_allow_in_some_states() -> None:
    geofence = amended((PUMA, "allow", "USA", ""), (PUMA, "block", "USA", "NY"))

    assert geofence.at("USA", "CA").allows(PUMA)
    assert not geofence.at("USA", "NY").allows(PUMA)


def test_what_is_blocked_is_blocked_for_all_below() -> None:
    geofence = amended((BEARS, "block", "GBR", ""))

    fence = geofence.at("GBR")
    assert [fence.allows(taxon) for taxon in (BEARS, URSUS, BROWN_BEAR, POLAR_BEAR)] == [False] * 4
    assert [fence.allows(taxon) for taxon in (MAMMAL, CARNIVORE, CATS, LION)] == [True] * 4


def test_blocks_from_above_join_a_taxons_own() -> None:
    geofence = amended(
        (BEARS, "block", "USA", "HI"), (URSUS, "block", "USA", "NY"), (BROWN_BEAR, "block", "GBR", "")
    )

    assert geofence.rules[BROWN_BEAR.key].block == {"USA": frozenset({"HI", "NY"}), "GBR": WHOLE}


def test_a_whole_country_from_above_covers_a_taxons_own_states() -> None:
    geofence = amended((URSUS, "block", "USA", "NY"), (BEARS, "block", "USA", ""))

    assert geofence.rules[URSUS.key].block == {"USA": WHOLE}


def test_what_is_allowed_is_allowed_for_all_above_that_have_a_list() -> None:
    base = Geofence({CATS.key: TaxonRules(allow={"IND": WHOLE, "USA": frozenset({"AZ"})})})

    geofence = amended((PUMA, "allow", "USA", "CA"), (LION, "allow", "KEN", ""), base=base)

    assert geofence.rules[CATS.key].allow == {"IND": WHOLE, "USA": WHOLE, "KEN": WHOLE}


def test_somebodys_own_rule_for_a_species_restricts_no_other() -> None:
    fence = amended((LION, "allow", "KEN", "")).at("CAN")

    assert [fence.allows(taxon) for taxon in (PUMA, PANTHERA, CATS, MAMMAL, BROWN_BEAR)] == [True] * 5


def test_a_base_is_left_as_it_was() -> None:
    base = Geofence({BEARS.key: TaxonRules(block={"GBR": WHOLE})})

    amended((BEARS, "block", "FRA", ""), (LION, "allow", "KEN", ""), base=base)

    assert base == Geofence({BEARS.key: TaxonRules(block={"GBR": WHOLE})})


def test_a_release_gives_every_parent_the_countries_of_its_species() -> None:
    base = Geofence(
        {
            LION.key: TaxonRules(allow={"KEN": WHOLE}),
            PUMA.key: TaxonRules(allow={"USA": frozenset({"CA"})}),
        }
    )

    release = build_geofence(base, [], taxonomy=TAXONOMY, labels=TAXONOMY)

    assert release.rules[PANTHERA.key].allow == {"KEN": WHOLE}
    assert release.rules[PUMA.key].allow == {"USA": frozenset({"CA"})}
    assert release.rules[CATS.key].allow == release.rules[MAMMAL.key].allow == {"KEN": WHOLE, "USA": WHOLE}
    assert ROOT not in release.rules


def test_a_release_keeps_rules_for_the_labels_and_what_is_above_them_only() -> None:
    base = Geofence({taxon.key: TaxonRules(allow={"KEN": WHOLE}) for taxon in (LION, BROWN_BEAR)})

    release = build_geofence(base, rows((BEARS, "block", "GBR", "")), taxonomy=TAXONOMY, labels=[LION])

    assert set(release.rules) == {taxon.key for taxon in (LION, PANTHERA, CATS, CARNIVORE, MAMMAL)}


def test_a_release_blocks_below_labels_that_the_base_does_not_hold() -> None:
    release = build_geofence(
        NOTHING, rows((BEARS, "block", "GBR", "")), taxonomy=TAXONOMY, labels=[BROWN_BEAR]
    )

    assert not release.at("GBR").allows(BROWN_BEAR)


@pytest.mark.parametrize(
    "base",
    [{CATS.key: TaxonRules(allow={"KEN": WHOLE})}, {LION.key: TaxonRules(block={"KEN": WHOLE})}],
    ids=["a higher taxon", "a block rule"],
)
def test_a_release_is_built_on_allow_rules_of_species(base: dict[Key, TaxonRules]) -> None:
    with pytest.raises(InvalidRequest, match="expected allow rules of species in the base"):
        build_geofence(Geofence(base), [], taxonomy=TAXONOMY, labels=[])


def every_state(rule: str) -> list[tuple[Taxon, str, str, str]]:
    return [(PUMA, rule, "USA", state) for state in sorted(STATES_OF_THE_USA)]


WOLF = Taxon("id", "mammalia", "carnivora", "canidae", "canis", "lupus", "wolf")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([(LION, "block", "KEN", ""), (LION, "allow", "KEN", "")], r"line 3 .* and line 2 .* block wins"),
        ([(LION, "allow", "KEN", ""), (LION, "block", "KEN", "")], r"line 2 .* and line 3 .* block wins"),
        ([(PUMA, "allow", "USA", "NY"), (CATS, "block", "USA", "NY")], "expected rules that agree"),
        ([(PUMA, "allow", "USA", "NY"), (CATS, "block", "USA", "")], "expected rules that agree"),
        ([(LION, "allow", "KEN", "")] * 2, r"every rule once, got line 3 .*,allow,KEN,\) after line 2"),
        ([(WOLF, "block", "KEN", "")], "expected a taxon that the taxonomy knows, got line 2"),
        (every_state("block"), "one rule for the whole USA"),
        (every_state("allow"), "one rule for the whole USA"),
    ],
)
def test_rows_that_contradict_repeat_or_name_nobody_are_refused(
    rules: list[tuple[Taxon, str, str, str]], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        amended(*rules)

    assert refused.value.param == "geofence"


def test_forty_nine_states_and_the_capital_are_a_list_like_any_other() -> None:
    rules = [row for row in every_state("block") if row[3] != "NJ"]

    assert amended(*rules, (PUMA, "block", "USA", "DC")).at("USA", "NJ").allows(PUMA)


@pytest.mark.parametrize(
    ("country", "state"), [("USA", ""), ("USA", "NY")], ids=["a country", "a state of a blocked country"]
)
def test_allowing_what_the_base_blocks_is_refused_for_it_would_do_nothing(country: str, state: str) -> None:
    base = Geofence({CATS.key: TaxonRules(block={"USA": WHOLE})})

    with pytest.raises(
        InvalidRequest, match=r"line 2 .* but the geofence below it blocks mammalia;.*felidae"
    ):
        amended((PUMA, "allow", country, state), base=base)


def test_allowing_a_country_of_which_the_base_blocks_a_state_is_no_contradiction() -> None:
    base = Geofence({PUMA.key: TaxonRules(block={"USA": frozenset({"NY"})})})

    geofence = amended((PUMA, "allow", "USA", ""), base=base)

    assert geofence.at("USA", "CA").allows(PUMA)
    assert not geofence.at("USA", "NY").allows(PUMA)


# --- SpeciesNet's own rows ------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "speciesnet"


@pytest.fixture(scope="module")
def real(folder: Path) -> Taxonomy:
    return read_taxonomy(folder / "taxonomy_release.txt")


@pytest.fixture(scope="module")
def fixes(folder: Path) -> tuple[RuleRow, ...]:
    return read_rules(folder / "geofence_fixes.csv")


def test_the_real_rows_agree_with_each_other_and_the_taxonomy(
    fixes: tuple[RuleRow, ...], real: Taxonomy
) -> None:
    geofence = amend_geofence(NOTHING, fixes, taxonomy=real)

    assert not geofence.at("GBR").allows(real[BROWN_BEAR.key])
    assert geofence.at("GBR").allows(real[MAMMAL.key])


def test_the_real_block_rows_make_the_geofence_that_is_derived_from_them(
    folder: Path, fixes: tuple[RuleRow, ...], real: Taxonomy
) -> None:
    blocks = [row for row in fixes if row.rule is RangeRule.BLOCK]
    derived = read_geofence(folder / "geofence_block_rules_derived.json")

    built = amend_geofence(NOTHING, blocks, taxonomy=real)

    assert len(blocks) == 1_304
    assert built.rules == amend_geofence(derived, (), taxonomy=real).rules


def test_the_sika_deer_stays_where_it_was_brought(fixes: tuple[RuleRow, ...], real: Taxonomy) -> None:
    sika = next(taxon for taxon in real if taxon.scientific_name == "Cervus nippon")
    geofence = amend_geofence(NOTHING, fixes, taxonomy=real)

    allowed = [state for state in sorted(STATES_OF_THE_USA) if geofence.at("USA", state).allows(sika)]

    assert allowed == ["DE", "NJ"]


def test_a_release_of_the_real_rows_holds_the_models_labels_and_what_is_above_them(
    folder: Path, fixes: tuple[RuleRow, ...], real: Taxonomy
) -> None:
    labels = read_labels(folder / "always_crop_99710272_22x8_v12_epoch_00148.labels.txt")
    parents = {taxon.key for label in labels for taxon in real.ancestors(label)}

    release = build_geofence(NOTHING, fixes, taxonomy=real, labels=labels)

    assert release.rules.keys() <= {label.key for label in labels} | parents
    assert ROOT not in release.rules
    assert release.rules[HUMAN.key[0], "", "", "", ""].allow == {"USA": WHOLE, "COL": WHOLE}


def test_kangaroos_are_blocked_in_245_countries_with_all_their_kinds(
    fixes: tuple[RuleRow, ...], real: Taxonomy
) -> None:
    geofence = amend_geofence(NOTHING, fixes, taxonomy=real)

    kangaroos = [taxon for taxon in real if taxon.family == "macropodidae"]
    assert len(kangaroos) > 10
    assert {len(geofence.rules[taxon.key].block) for taxon in kangaroos} == {245}
