"""`okapia speciesnet run --ensemble-only`: answers from JSON files alone."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from okapia.cli.speciesnet import app
from okapia.domain.errors import InvalidRequest
from okapia.pipeline.place_pack import SOURCE, Region, write_pack
from okapia.pipeline.polygons import simplified
from tests.unit.cli.speciesnet_files import (
    ANIMAL,
    BLANK,
    CANIDS,
    CORSAC,
    FOX,
    FOXES,
    LABELS,
    RULES,
    Fields,
    box,
    predictions,
    ranked,
    write_json,
    write_predictions,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a taxonomy and ranges; no model is installed."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taxonomy.txt").write_text("\n".join((*LABELS, FOXES, CANIDS)))
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    write_json(tmp_path / "geofence.json", RULES)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["run", "--ensemble-only", *arguments], catch_exceptions=False)


def ensemble(*arguments: str, out: str = "p.json") -> Result:
    """Decide by the files of the folder; gives how the command ended, raises what it raises."""
    own = () if "--taxonomy" in arguments or "--model" in arguments else ("--taxonomy", "taxonomy.txt")
    fence = () if "--geofence" in arguments else ("--geofence", "geofence.json")
    return invoke(
        "--classifications-json",
        "c.json",
        *(("--detections-json", "d.json") if Path("d.json").exists() else ()),
        *own,
        *fence,
        "--predictions-json",
        out,
        *arguments,
    )


def evidence(*scores: tuple[str, float], name: str = "a.jpg", boxes: Sequence[Fields] = ()) -> None:
    """Write what a detector and a classifier said of one picture."""
    write_predictions(Path("d.json"), [{"filepath": name, "detections": boxes or [box(0.9)]}])
    write_predictions(
        Path("c.json"),
        [{"filepath": name, "classifications": ranked(*scores), "model_version": "4.0.3a"}],
    )


def answer(path: str = "p.json", name: str = "a.jpg") -> tuple[object, object, object]:
    row = predictions(Path(path))[name]
    return row["prediction"], row["prediction_score"], row["prediction_source"]


def test_answers_come_from_files_without_any_model_or_picture() -> None:
    evidence((FOX, 0.9), (CORSAC, 0.05))

    result = ensemble("--country", "DEU")

    assert result.exit_code == 0
    row = predictions(Path("p.json"))["a.jpg"]
    assert (row["prediction"], row["prediction_score"], row["prediction_source"]) == (FOX, 0.9, "classifier")
    assert row["country"] == "DEU"
    assert row["model_version"] == "4.0.3a"
    assert row["classifications"] == ranked((FOX, 0.9), (CORSAC, 0.05))
    assert "1 picture in 0 s: 1 red fox" in result.stdout


def test_a_fenced_out_species_rolls_up_to_the_family() -> None:
    evidence((FOX, 0.9))

    ensemble("--country", "AUS")

    assert answer() == (CANIDS, 0.9, "classifier+geofence+rollup_to_family")


def test_without_a_fence_the_place_is_only_repeated() -> None:
    evidence((FOX, 0.9))

    ensemble("--country", "AUS", "--nogeofence")

    assert answer() == (FOX, 0.9, "classifier")
    assert predictions(Path("p.json"))["a.jpg"]["country"] == "AUS"


def test_names_of_options_may_be_written_with_underscores() -> None:
    evidence((FOX, 0.9))

    result = CliRunner().invoke(
        app,
        "run --ensemble_only --classifications_json c.json --detections_json=d.json --country USA "
        "--admin1_region NV --predictions_json p.json --taxonomy taxonomy.txt --geofence geofence.json "
        "--bypass_prompts --batch_size 8",
        catch_exceptions=False,
    )

    assert result.exit_code == 0
    assert answer() == (CANIDS, 0.9, "classifier+geofence+rollup_to_family")


def test_every_instance_has_a_place_of_its_own_and_its_order() -> None:
    rows = [{"filepath": f"{n}.jpg", "detections": [box(0.9)]} for n in "abc"]
    write_predictions(Path("d.json"), rows)
    write_predictions(
        Path("c.json"), [{"filepath": f"{n}.jpg", "classifications": ranked((FOX, 0.9))} for n in "abc"]
    )
    instances = [
        {"filepath": "c.jpg", "country": "AUS"},
        {"filepath": "a.jpg", "country": "DEU"},
        {"filepath": "c.jpg", "country": "AUS"},
        {"filepath": "b.jpg"},
    ]
    write_json(Path("i.json"), {"instances": instances})

    ensemble("--instances-json", "i.json", "--country", "USA", "--admin1-region", "NV")

    found = predictions(Path("p.json"))
    assert list(found) == ["c.jpg", "a.jpg", "b.jpg"]
    assert [row["prediction"] for row in found.values()] == [CANIDS, FOX, CANIDS]
    assert [row.get("admin1_region") for row in found.values()] == [None, None, "NV"]


def test_what_a_file_lacks_is_a_failure_of_its_own() -> None:
    evidence((FOX, 0.9))
    write_json(Path("i.json"), {"instances": [{"filepath": "a.jpg"}, {"filepath": "b.jpg"}]})

    result = ensemble("--instances-json", "i.json")

    assert result.exit_code == 1
    found = predictions(Path("p.json"))
    assert found["b.jpg"]["failures"] == ["CLASSIFIER", "DETECTOR"]
    assert "prediction" not in found["b.jpg"]
    assert "b.jpg: expected classifications and detections of this picture" in result.stdout


def test_a_failed_detector_leaves_the_classes_and_no_answer() -> None:
    evidence((FOX, 0.9))
    write_predictions(Path("d.json"), [{"filepath": "a.jpg", "failures": ["DETECTOR"]}])

    result = ensemble()

    row = predictions(Path("p.json"))["a.jpg"]
    assert result.exit_code == 1
    assert row["failures"] == ["DETECTOR"]
    assert row["classifications"] == ranked((FOX, 0.9))
    assert "prediction" not in row


def test_no_box_at_all_gives_blank_in_the_old_format() -> None:
    write_predictions(Path("d.json"), [{"filepath": "a.jpg", "detections": []}])
    write_predictions(Path("c.json"), [{"filepath": "a.jpg", "classifications": ranked((BLANK, 0.9))}])

    ensemble()

    assert answer() == (BLANK, 0.9, "classifier")


def test_the_new_format_puts_a_pictures_scores_into_its_most_confident_box() -> None:
    evidence((FOX, 0.9), boxes=[box(0.3), box(0.8)])

    ensemble("--format", "new", "--country", "AUS")

    document = json.loads(Path("p.json").read_text())
    first, second = document["predictions"][0]["detections"]
    assert document["info"] == {"format_version": "20261015"}
    assert first["conf"] == 0.8
    assert first["processed_classification"]["class"] == CANIDS
    assert "raw_classifications" not in second


def test_no_sure_box_gives_nothing_in_the_new_format() -> None:
    evidence((BLANK, 0.9), boxes=[box(0.09)])

    ensemble("--format", "new")

    (only,) = json.loads(Path("p.json").read_text())["predictions"][0]["detections"]
    assert "processed_classification" not in only


def test_scores_a_box_are_decided_a_box() -> None:
    boxes = [
        box(0.9, raw_classifications=ranked((FOX, 0.95))),
        box(0.4, raw_classifications=ranked((CORSAC, 0.9))),
        box(0.05),
    ]
    write_predictions(Path("c.json"), [{"filepath": "a.jpg", "detections": boxes}], is_new=True)

    ensemble("--format", "new", "--country", "MNG")
    ensemble("--country", "AUS", out="old.json")

    (row,) = json.loads(Path("p.json").read_text())["predictions"]
    classes = [b.get("processed_classification", {}).get("class") for b in row["detections"]]
    assert classes == [FOX, CORSAC, None]
    assert answer("old.json") == (CANIDS, 0.95, "classifier+geofence+rollup_to_family")


def test_scores_without_names_are_named_by_the_labels() -> None:
    evidence((FOX, 0.9))
    write_predictions(
        Path("c.json"), [{"filepath": "a.jpg", "classifications": {"scores": [0.1, 0.85, 0.05]}}]
    )

    ensemble("--labels", "labels.txt", "--country", "MNG")

    assert answer() == (CORSAC, 0.85, "classifier")
    row = predictions(Path("p.json"))["a.jpg"]
    assert row["classifications"] == ranked((CORSAC, 0.85), (FOX, 0.1), (BLANK, 0.05))


def test_labels_alone_are_taxonomy_enough() -> None:
    evidence((FOX, 0.5), (CORSAC, 0.4))

    invoke("--classifications-json", "c.json", "--detections-json", "d.json")
    result = ensemble("--taxonomy", "labels.txt")

    assert result.exit_code == 0
    assert answer()[0] == ANIMAL


def test_without_an_output_the_predictions_are_printed() -> None:
    evidence((FOX, 0.9))

    result = invoke(
        "--classifications-json", "c.json", "--detections-json", "d.json", "--taxonomy", "taxonomy.txt"
    )

    assert json.loads(result.stdout)["predictions"][0]["prediction"] == FOX
    assert "without a country, and so not checked against any range: 1 picture" in result.stderr


def test_the_summary_is_to_be_had_as_json() -> None:
    evidence((FOX, 0.9))

    summary = json.loads(ensemble("--json").stdout)

    assert summary["answers"] == {"red fox": 1}
    assert (summary["images"], summary["unchecked"], summary["failed"]) == (1, 1, 0)


def test_a_model_folder_brings_its_own_files() -> None:
    evidence((FOX, 0.9))
    info = {
        "version": "4.0.2a",
        "type": "always_crop",
        "classifier": "crop.pt",
        "classifier_labels": "labels.txt",
        "taxonomy": "taxonomy.txt",
        "geofence": "geofence.json",
    }
    write_json(Path("info.json"), info)

    invoke(
        "--classifications-json",
        "c.json",
        "--detections-json",
        "d.json",
        "--model",
        ".",
        "--country",
        "AUS",
        "--predictions-json",
        "p.json",
    )

    assert answer() == (CANIDS, 0.9, "classifier+geofence+rollup_to_family")


def test_classes_that_the_taxonomy_lacks_are_warned_of() -> None:
    okapi = "aaaaaaaa-0000-4000-8000-00000000000a;mammalia;artiodactyla;giraffidae;okapia;johnstoni;okapi"
    evidence((FOX, 0.5), (okapi, 0.4))

    result = ensemble()

    assert "the taxonomy lacks classes, which roll up to nothing: aaaaaaaa" in result.stderr
    assert "--taxonomy or --model" in result.stderr


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ("geofence_block_rules_derived.json", "mammalia;diprotodontia;macropodidae;;"),
        ("geofence_fixes.csv", "mammalia;diprotodontia;macropodidae;macropus;giganteus"),
    ],
)
def test_speciesnets_own_rules_keep_kangaroos_out_of_france(rules: str, key: str, shared_data: Path) -> None:
    files = shared_data / "speciesnet"
    taxa = (files / "taxonomy_release.txt").read_text().split("\n")
    evidence((next(label for label in taxa if f";{key};" in label), 0.9))

    ensemble(
        "--taxonomy",
        str(files / "taxonomy_release.txt"),
        "--geofence",
        str(files / rules),
        "--country",
        "FRA",
    )

    label, score, source = answer()
    assert str(label).split(";")[1:4] == ["mammalia", "diprotodontia", ""]
    assert (score, source) == (0.9, "classifier+geofence+rollup_to_order")


# --- US states from coordinates ------------------------------------------------------------

NEVADA = {"type": "Polygon", "coordinates": [[[-120, 36], [-114, 36], [-114, 42], [-120, 42], [-120, 36]]]}


def located_instance(**place: object) -> None:
    evidence((FOX, 0.9))
    write_json(
        Path("i.json"), {"instances": [{"filepath": "a.jpg", "latitude": 39.5, "longitude": -117.0, **place}]}
    )


def test_the_state_comes_from_coordinates_in_the_usa(folder: Path) -> None:
    pytest.importorskip("shapely", reason="the extra okapia[places] is not installed")
    region = Region("USA", "US-NV", "Nevada", simplified(NEVADA, tolerance=0.01))
    write_pack(folder / "home", [region], source=SOURCE)
    located_instance(country="USA")

    ensemble("--instances-json", "i.json")

    row = predictions(Path("p.json"))["a.jpg"]
    assert row["admin1_region"] == "NV"
    assert row["prediction"] == CANIDS
    assert (row["latitude"], row["longitude"]) == (39.5, -117.0)


def test_without_the_borders_the_state_stays_unknown_and_that_is_said() -> None:
    located_instance(country="USA")

    result = ensemble("--instances-json", "i.json")

    assert answer()[0] == FOX
    assert "US states of coordinates stay unknown (1 of 1)" in result.stderr


def test_coordinates_alone_tell_neither_country_nor_state() -> None:
    located_instance()

    result = ensemble("--instances-json", "i.json")

    row = predictions(Path("p.json"))["a.jpg"]
    assert row["prediction"] == FOX
    assert "country" not in row
    assert "admin1_region" not in row
    assert "stay unknown" not in result.stderr


# --- going on with a file that is there -------------------------------------------------------


def test_answers_that_are_there_are_kept_and_failures_tried_again() -> None:
    evidence((FOX, 0.9))
    write_json(Path("i.json"), {"instances": [{"filepath": "a.jpg"}, {"filepath": "b.jpg"}]})
    ensemble("--instances-json", "i.json")
    rows = [{"filepath": f"{n}.jpg", "classifications": ranked((CORSAC, 0.9))} for n in "ab"]
    write_predictions(Path("c.json"), rows)
    write_predictions(Path("d.json"), [{"filepath": f"{n}.jpg", "detections": [box(0.9)]} for n in "ab"])

    result = ensemble("--instances-json", "i.json")

    assert result.exit_code == 0
    assert answer(name="a.jpg")[0] == FOX
    assert answer(name="b.jpg")[0] == CORSAC
    assert "kept what was there already: 1 of these answers" in result.stdout


def test_a_file_that_is_there_is_replaced_on_demand() -> None:
    evidence((FOX, 0.9))
    ensemble()
    evidence((CORSAC, 0.9))

    ensemble("--ignore-existing-predictions")

    assert answer()[0] == CORSAC


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "new"), "is in the old format, not in the new"),
        (("--country", "AUS"), r"has a\.jpg at another place \(no country, now AUS\)"),
        (("--filepaths", "b.jpg,c.jpg"), r"holds a\.jpg, which is not among the pictures"),
    ],
)
def test_a_file_of_another_run_is_refused_and_left_alone(arguments: tuple[str, ...], words: str) -> None:
    evidence((FOX, 0.9))
    ensemble()
    before = Path("p.json").read_bytes()

    with pytest.raises(InvalidRequest, match=f"{words}.*--ignore-existing-predictions"):
        ensemble(*arguments)

    assert Path("p.json").read_bytes() == before


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"country": "KE"}, r"three-letter code in capitals \(KEN\), got 'KE'; did you mean KEN \(Kenya\)"),
        ({"country": "Kenia"}, r"did you mean KEN \(Kenya\)"),
        ({"country": "Frankrich"}, r"did you mean France \(FRA\)"),
        ({"country": "QQQ"}, "got 'QQQ'$"),
        ({"country": "ken"}, "did you mean KEN"),
        ({"admin1_region": "CA"}, "expected a country with the admin1_region"),
        ({"country": "USA", "admin1_region": "California"}, "two letters, got 'California'; did you mean CA"),
        ({"country": "USA", "admin1_region": "XX"}, "expected a US state"),
        ({"country": "CAN", "admin1_region": "bc"}, "two capital letters, got 'bc'"),
        ({"latitude": 91.0, "longitude": 0.0}, "latitude.*less than or equal to 90"),
        ({"latitude": 1.0}, "expected latitude and longitude together"),
        ({"country": 7}, "country: .*valid string"),
    ],
)
def test_a_place_that_is_none_is_refused_with_its_picture(place: Fields, words: str) -> None:
    evidence((FOX, 0.9))
    write_json(Path("i.json"), {"instances": [{"filepath": "okapi.jpg", **place}]})

    with pytest.raises(InvalidRequest, match=rf"okapi\.jpg.*{words}"):
        ensemble("--instances-json", "i.json")

    assert not Path("p.json").exists()


def test_a_canadian_province_is_accepted_and_does_nothing() -> None:
    evidence((FOX, 0.9))

    ensemble("--country", "CAN", "--admin1-region", "BC")

    assert answer()[0] == FOX


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("i.json", b"{", r"i\.json: expected JSON"),
        ("i.json", b"[]", r"i\.json: expected an object with the list 'instances', got a list"),
        ("i.json", b'{"instances": []}', "at least one"),
        ("i.json", b'{"instances": [{"country": "KEN"}]}', r"instances\[0\]: filepath"),
        ("i.json", b'{"instances": ["a.jpg"]}', r"instances\[0\]: expected an object"),
        ("c.json", b'{"predictions": [{"filepath": "a.jpg", "classifications": 3}]}', "classifications"),
        ("d.json", b'{"predictions": [{"filepath": "a.jpg", "detections": [{}]}]}', r"detections\[0\]"),
        ("taxonomy.txt", b"a;b;c", r"taxonomy\.txt: line 1: expected the 7 parts"),
        ("taxonomy.txt", b"", "expected seven-part labels, one a line, got none"),
        ("geofence.json", b'{"a;b;c;d;e": {"allow": {"KE": []}}}', "three-letter code, got 'KE'"),
        ("geofence.json", b'{"a;b": {}}', r"geofence\.json: expected the 5 parts"),
    ],
)
def test_a_malformed_file_is_named(name: str, content: bytes, words: str) -> None:
    evidence((FOX, 0.9))
    write_json(Path("i.json"), {"instances": [{"filepath": "a.jpg"}]})
    Path(name).write_bytes(content)

    with pytest.raises(InvalidRequest, match=words):
        ensemble("--instances-json", "i.json")


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.5, 0.5], "expected a score for each of the 3 labels in labels.txt, got 2"),
        ([0.1, 0.2, 0.3, 0.4], "expected a score for each of the 3 labels in labels.txt, got 4"),
        ([0.1, float("nan"), 0.2], r"c\.json: predictions\[0\] \(a\.jpg\)"),
        ([0.1, "high", 0.2], "got 3"),
        ([3.0, 0.1, 0.1], r"less than or equal to 1"),
    ],
)
def test_scores_that_are_none_or_too_few_are_refused(scores: list[object], words: str) -> None:
    evidence((FOX, 0.9))
    write_predictions(Path("c.json"), [{"filepath": "a.jpg", "classifications": {"scores": scores}}])

    with pytest.raises(InvalidRequest, match=words):
        ensemble("--labels", "labels.txt")


def test_scores_that_are_not_best_first_are_refused_with_their_picture() -> None:
    evidence((CORSAC, 0.1), (FOX, 0.9))

    with pytest.raises(InvalidRequest, match=r"a\.jpg: expected scores of 0\.\.1, best first"):
        ensemble()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--instances-json", "no.json"), r"no\.json: cannot be read"),
        (("--filepaths-txt", "no.txt"), r"cannot read no\.txt"),
        (("--folders", "nowhere"), "expected a folder, got nowhere"),
        (("--filepaths", "a.jpg", "--folders", "."), "exactly one of .*, got --filepaths and --folders"),
        (("--detector-only",), "expected one of --detector-only, --classifier-only and --ensemble-only"),
        (("--geofence", "no.json"), r"cannot read no\.json"),
        (("--taxonomy", "no.txt"), r"cannot read no\.txt"),
    ],
)
def test_what_is_missing_or_contradicts_is_refused(arguments: tuple[str, ...], words: str) -> None:
    evidence((FOX, 0.9))

    with pytest.raises(InvalidRequest, match=words):
        ensemble(*arguments)


def test_the_evidence_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="needs --classifications-json and --detections-json"):
        invoke("--taxonomy", "taxonomy.txt")
    evidence((FOX, 0.9))

    with pytest.raises(InvalidRequest, match=r"needs --detections-json: c\.json holds no detections"):
        invoke("--classifications-json", "c.json")
