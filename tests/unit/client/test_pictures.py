"""Pictures through the client, answered by the real application."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.client import BadImage, DetectAnswer, InvalidRequest, Okapia, Options, PayloadTooLarge
from okapia.client.images import Image
from tests.unit.dialects.test_animaldetect import jpeg

FOX = jpeg()
NO_PICTURE = b"%PDF-1.7 is no picture"


@pytest.fixture(params=["path", "text", "bytes", "file"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Image]:
    path = tmp_path / "fox.jpg"
    path.write_bytes(FOX)
    with path.open("rb") as file:
        kinds: dict[str, Image] = {"path": path, "text": str(path), "bytes": FOX, "file": file}
        yield kinds[request.param]


def test_detect_takes_a_path_bytes_or_a_file(okapia: Okapia, image: Image) -> None:
    answer = okapia.detect(image)

    (fox,) = answer.annotations
    assert (fox.label, fox.score, fox.bbox) == ("red fox", 0.95, (0.25, 0.25, 0.5, 0.5))
    assert fox.taxonomy is not None
    assert (fox.taxonomy.class_, fox.taxonomy.species) == ("mammalia", "vulpes")


@pytest.mark.parametrize("prefix", ["", "/", "/api", "/api/"])
def test_any_prefix_leads_to_the_same_answer(url: str, prefix: str) -> None:
    with Okapia(url + prefix) as okapia:
        answer = okapia.detect(FOX)

    assert answer.annotations[0].label == "red fox"


def test_filter_gives_coarse_labels(okapia: Okapia) -> None:
    answer = okapia.filter(FOX, profile="urban")

    assert [(d.label, d.category) for d in answer.detections] == [("animal", "animal")]


def test_options_reach_the_server(okapia: Okapia) -> None:
    options = Options(threshold=0.05, classify=False, country="Kenya", metadata=True)

    answer = okapia.detect(FOX, options)

    assert [a.label for a in answer.annotations] == ["animal", "human"]
    assert (answer.info.threshold_applied, answer.info.country_processed) == (0.05, "KEN")
    assert answer.metadata is not None
    assert answer.metadata["file_size"] == len(FOX)


def test_a_wrong_option_is_an_error_that_names_it(okapia: Okapia) -> None:
    with pytest.raises(InvalidRequest) as caught:
        okapia.detect(FOX, Options(threshold=5))

    assert (caught.value.status, caught.value.code, caught.value.param) == (
        400,
        "invalid_request",
        "threshold",
    )
    assert "threshold" in str(caught.value)


def test_a_picture_that_is_none_is_an_error_of_its_own(okapia: Okapia) -> None:
    with pytest.raises(BadImage) as caught:
        okapia.detect(NO_PICTURE)

    assert caught.value.code == "unsupported_format"


def test_a_batch_of_any_length_is_answered_in_its_order(okapia: Okapia, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(23)]
    for path in paths:
        path.write_bytes(FOX)

    items = list(okapia.batch_detect(paths))

    assert [(item.index, item.filename) for item in items] == list(enumerate(path.name for path in paths))
    assert {item.annotations[0].label for item in items} == {"red fox"}
    assert len({item.batch_id for item in items}) == 3


def test_a_bad_picture_of_a_batch_has_its_error_in_its_place(okapia: Okapia) -> None:
    first, second, third = okapia.batch_filter([FOX, NO_PICTURE, FOX])

    assert (len(first.detections), first.error) == (1, None)
    assert second.error is not None
    assert second.error.code == "unsupported_format"
    assert len(third.detections) == 1


def test_a_batch_in_which_no_picture_can_be_read_still_gives_each_its_own_error(okapia: Okapia) -> None:
    items = list(okapia.batch_detect([NO_PICTURE, b"", NO_PICTURE]))

    assert [item.index for item in items] == [0, 1, 2]
    assert [item.error.code for item in items if item.error] == [
        "unsupported_format",
        "empty_image",
        "unsupported_format",
    ]


def test_pictures_too_large_for_one_call_are_sent_in_smaller_ones(okapia: Okapia) -> None:
    large = FOX + bytes(700_000)

    items = list(okapia.batch_detect([large] * 5))

    assert [len(item.annotations) for item in items] == [1] * 5
    assert len({item.batch_id for item in items}) > 1


def test_a_picture_too_large_for_any_call_is_an_error_in_its_place(okapia: Okapia) -> None:
    items = list(okapia.batch_detect([FOX, FOX + bytes(3_000_000), FOX]))

    assert [item.error and item.error.code for item in items] == [None, "payload_too_large", None]


def test_a_picture_too_large_alone_is_an_error(okapia: Okapia) -> None:
    with pytest.raises(PayloadTooLarge):
        okapia.detect(FOX + bytes(3_000_000))


def test_a_batch_is_read_and_sent_only_as_it_is_asked_for(okapia: Okapia) -> None:
    taken: list[int] = []

    def pictures() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield FOX

    items = okapia.batch_detect(pictures())
    assert taken == []
    next(items)

    assert len(taken) <= 11


def test_an_empty_batch_is_no_call(okapia: Okapia) -> None:
    assert list(okapia.batch_detect([])) == []


def test_a_url_that_the_server_may_not_fetch_is_an_error(okapia: Okapia) -> None:
    with pytest.raises(BadImage) as caught:
        okapia.detect_url("http://127.0.0.1/fox.jpg")

    assert caught.value.code == "source_refused"


def test_a_file_that_is_open_as_text_is_refused_before_it_is_sent(okapia: Okapia, tmp_path: Path) -> None:
    path = tmp_path / "fox.jpg"
    path.write_text("text", encoding="utf-8")
    with path.open(encoding="utf-8") as file, pytest.raises(TypeError, match="opened with 'rb'"):
        okapia.detect(file)  # type: ignore[arg-type] # what a program without types may do


def test_answers_compare_by_what_they_say(okapia: Okapia) -> None:
    one, other = okapia.detect(FOX), okapia.detect(FOX)

    assert isinstance(one, DetectAnswer)
    assert one.annotations == other.annotations
