"""What a shard's file holds comes back as it was, and can be queried without Okapia."""

from datetime import datetime
from io import BytesIO

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.capture import BurstSequence, MoonPhase, TimeSource
from okapia.domain.clips import Clip
from okapia.domain.taxonomy import ANIMAL, Rank, Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    CaptureMetadata,
    Category,
    Classification,
    Detection,
    Failure,
    Gender,
    ImageInfo,
    ImageResult,
    Prediction,
    RangeRule,
    Restriction,
    Smoothing,
)
from okapia.formats.shard_file import ShardRow, decode, encode, names_in

FOX = Taxon("4b8d1a2c", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")

CAPTURE = CaptureMetadata(
    captured_at=datetime(2026, 6, 1, 5, 30, 12),  # noqa: DTZ001 - cameras record no zone
    captured_at_source=TimeSource.MAKER_NOTE,
    camera_serial="H500HF12345678",
    latitude=55.0000001,
    longitude=-12.3,
    exposure_time=1 / 60,
    flash=True,
    temperature=-7.0,
    moon_phase=MoonPhase.FULL_MOON,
    sequence=BurstSequence(2, 3),
)

units = st.floats(0, 1)
boxes = st.builds(BBox, units, units, units, units)
classes = st.lists(st.builds(Classification, st.sampled_from([FOX, ANIMAL]), units), max_size=3).map(tuple)
restrictions = st.builds(
    Restriction, st.sampled_from(RangeRule), st.just(FOX), st.none() | st.just(Rank.GENUS)
)
answers = st.builds(
    Prediction,
    st.sampled_from([FOX, ANIMAL]),
    units,
    st.just("classifier+rollup_to_family"),
    decision=st.just("4a"),
    restrictions=st.lists(restrictions, max_size=2).map(tuple),
    smoothing=st.none() | st.just(Smoothing("family", FOX, "cam/0002.jpg")),
)
detections = st.builds(
    Detection,
    boxes,
    st.sampled_from(Category),
    units,
    st.just("animal"),
    classes,
    st.none() | answers,
    gender=st.none() | st.builds(Gender, units),
    frame=st.none() | st.integers(0, 2**31),
)
images = st.builds(
    ImageInfo,
    st.integers(1, 2**31 - 1),
    st.integers(1, 2**31 - 1),
    st.just("JPEG"),
    st.integers(0, 2**40),
    units,
    st.sampled_from([CAPTURE, CaptureMetadata()]),
    clip=st.none() | st.just(Clip(30_000 / 1001, (0, 30, 60), 2.0353686)),
)
analyses = st.builds(
    Analysis, images, st.lists(detections, max_size=4).map(tuple), st.none() | answers, classes
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.binary(min_size=1).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
results = st.builds(
    ImageResult,
    names,
    analyses | st.builds(Failure, st.just("missing"), texts),
    units,
    st.none() | texts,
    st.none() | st.just("0f" * 32),
)
rows = st.builds(ShardRow, results, st.just("done"))


@given(st.lists(rows, max_size=6))
def test_a_shard_comes_back_as_it_was(shard: list[ShardRow]) -> None:
    assert decode(encode(shard)) == shard


@given(st.lists(names, max_size=6))
def test_a_shards_names_are_read_alone(known: list[str]) -> None:
    shard = [ShardRow(ImageResult(name, Failure("missing", "gone")), "missing") for name in known]

    assert names_in(encode(shard)) == known


def test_only_the_wanted_pictures_of_a_shard_are_given() -> None:
    shard = [
        ShardRow(ImageResult(name, Failure("missing", "gone")), "missing") for name in ("a.jpg", "b.jpg")
    ]

    assert decode(encode(shard), is_wanted=lambda name: name == "b.jpg") == shard[1:]


def test_columns_answer_questions_without_okapia() -> None:
    seen = Detection(
        BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 0.75, "animal", (), Prediction(FOX, 0.5, "classifier")
    )
    image = ImageInfo(2048, 1536, "JPEG", 900_000, capture=CAPTURE)
    shard = [
        ShardRow(ImageResult("cam 1/fox.jpg", Analysis(image, (seen,)), meta="site 7"), "done"),
        ShardRow(ImageResult("cam 1/\udcff.jpg", Failure("undecodable_image", "no JPEG")), "undecodable"),
    ]

    table = pq.read_table(BytesIO(encode(shard))).to_pylist()

    assert [row["file"] for row in table] == ["cam 1/fox.jpg", "cam 1/%FF.jpg"]
    assert [row["verdict"] for row in table] == ["done", "undecodable"]
    assert (table[0]["width"], table[0]["captured_at"]) == (2048, CAPTURE.captured_at)
    assert [row["meta"] for row in table] == ["site 7", None]
    assert table[0]["detections"] == [
        {
            "category": "animal",
            "label": "animal",
            "confidence": 0.75,
            "x_min": 0.1,
            "y_min": 0.2,
            "width": 0.3,
            "height": 0.4,
            "taxon": FOX.label,
            "score": 0.5,
            "frame": None,
        }
    ]
    assert (table[1]["failure_code"], table[1]["detections"]) == ("undecodable_image", [])


def test_texts_that_are_no_utf8_are_written_so_that_json_can_carry_them() -> None:
    shard = [ShardRow(ImageResult("a.jpg", Failure("missing", "no \udcff"), meta="at \udcff"), "missing")]

    (row,) = decode(encode(shard))

    assert row.result == ImageResult("a.jpg", Failure("missing", "no %FF"), meta="at %FF")


def test_what_is_no_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="Parquet"):
        decode(b"PAR0 nonsense")
