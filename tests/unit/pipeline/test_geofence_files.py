"""Range rules in files: SpeciesNet's JSON and CSV, and what is wrong with others."""

import json
from collections import Counter
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import RangeRule
from okapia.models.ranges import builtin_ranges
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.geofence import TaxonRules
from okapia.pipeline.geofence_build import RuleRow
from okapia.pipeline.geofence_files import geofence_of, read_geofence, read_rules
from tests.unit.pipeline.carnivores import LION, PUMA

LION_KEY = ";".join(LION.key)
HEAD = "species,rule,country_code,admin1_region_code\n"


def written(tmp_path: Path, text: str, *, name: str = "rules.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_speciesnets_json_is_read(tmp_path: Path) -> None:
    document = {LION_KEY: {"allow": {"KEN": [], "USA": ["AK", "CA"]}, "block": {"FRA": []}}}

    geofence = read_geofence(written(tmp_path, json.dumps(document), name="geofence.json"))

    assert geofence.rules == {
        LION.key: TaxonRules(
            allow={"KEN": frozenset(), "USA": frozenset({"AK", "CA"})}, block={"FRA": frozenset()}
        )
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[]", r"taxa: expected a JSON object, got '\[\]'"),
        ('{"felidae": {}}', "expected the 5 parts class;order;family;genus;species, got 1"),
        ('{"mammalia;;felidae;;": {}}', "expected a name for every rank above"),
        ('{";;;;": {}}', "taxa below animal"),
        ('{"aves;;;;": []}', "aves;;;;: expected a JSON object"),
        ('{"aves;;;;": {"deny": {}}}', "aves;;;;: expected allow or block, got deny"),
        ('{"aves;;;;": {"allow": ["KEN"]}}', "aves;;;;: expected a JSON object"),
        ('{"aves;;;;": {"allow": {"KE": []}}}', "three-letter code, got 'KE'"),
        ('{"aves;;;;": {"allow": {"KEN": null}}}', "aves;;;;, KEN: expected a list of different two-letter"),
        ('{"aves;;;;": {"allow": {"USA": ["CAL"]}}}', "two-letter states"),
        ('{"aves;;;;": {"allow": {"USA": ["CA", "CA"]}}}', "different two-letter states"),
        ('{"aves;;;;": {"allow": {"USA": "CA"}}}', "two-letter states"),
    ],
)
def test_json_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"geofence\.json: .*{message}") as refused:
        read_geofence(written(tmp_path, text, name="geofence.json"))

    assert refused.value.param == "geofence"


def test_rows_are_read_with_comments_and_empty_lines_between(tmp_path: Path) -> None:
    text = (
        f"{HEAD}# Lions, where they are\n\n{LION_KEY.upper()},Allow,KEN,\n{';'.join(PUMA.key)},block,USA,NY\n"
    )

    rows = read_rules(written(tmp_path, text))

    assert rows == (
        RuleRow(LION.key, RangeRule.ALLOW, "KEN", "", "line 4"),
        RuleRow(PUMA.key, RangeRule.BLOCK, "USA", "NY", "line 5"),
    )


def test_json_may_hold_rules_to_put_on_top_too(tmp_path: Path) -> None:
    document = {LION_KEY: {"allow": {"KEN": []}, "block": {"USA": ["NY", "CA"]}}}

    rows = read_rules(written(tmp_path, json.dumps(document), name="Rules.JSON"))

    assert [(row.rule.value, row.country, row.state) for row in rows] == [
        ("allow", "KEN", ""),
        ("block", "USA", "CA"),
        ("block", "USA", "NY"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("lion,allow,KEN,", "line 2: expected the 5 parts"),
        (f"{LION_KEY},permit,KEN,", "line 2: expected the rule allow or block, got 'permit'"),
        (f"{LION_KEY},allow,KE,", "line 2: expected a country's three-letter code"),
        (f"{LION_KEY},allow,KNY,", "line 2: expected a country's three-letter code"),
        (f"{LION_KEY},allow,USA,CAL", "line 2: expected a state's two letters"),
        (f"{LION_KEY},allow,USA,ZZ", "line 2: expected a US state"),
        (f"{LION_KEY},allow,KEN,CA", "line 2: expected no state with Kenya"),
        (f"{LION_KEY},allow,KEN", "line 2: expected 4 cells as in the head, got 3"),
    ],
)
def test_a_row_that_is_no_rule_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"rules\.csv: {message}"):
        read_rules(written(tmp_path, HEAD + row))


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidRequest, match=r"expected the columns species, rule, .* admin1_region_code missing"
    ):
        read_rules(written(tmp_path, "species,rule,country_code\n"))


def test_the_ranges_of_the_built_in_classifier_are_a_geofence() -> None:
    geofence = geofence_of(builtin_ranges().as_rules())

    gorilla = next(taxon for taxon in builtin_taxonomy() if taxon.common_name == "gorilla species")
    assert geofence.at("COD").allows(gorilla)
    assert not geofence.at("NOR").allows(gorilla)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot read nowhere\.json"):
        read_geofence(tmp_path / "nowhere.json")


def test_the_real_rows_are_as_many_as_documented(shared_data: Path) -> None:
    rows = read_rules(shared_data / "speciesnet" / "geofence_fixes.csv")

    assert Counter(row.rule.value for row in rows) == {"block": 1_304, "allow": 14}
    assert sum(1 for row in rows if row.state) == 62


def test_the_real_json_is_read(shared_data: Path) -> None:
    geofence = read_geofence(shared_data / "speciesnet" / "geofence_block_rules_derived.json")

    kangaroos = geofence.rules["mammalia", "diprotodontia", "macropodidae", "", ""]
    assert len(geofence.rules) == 15
    assert (len(kangaroos.block), dict(kangaroos.allow)) == (245, {})
