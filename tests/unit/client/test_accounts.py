"""Keys, credits and rates through the client, refused and counted by the real application."""

import pytest

from okapia.client import (
    AuthenticationError,
    CreditsSpent,
    NotFound,
    Okapia,
    PermissionDenied,
    RateLimited,
)
from okapia.domain.callers import Rates, Scope
from tests.unit.client.conftest import House
from tests.unit.dialects.test_animaldetect import jpeg

FOX = jpeg()


def test_a_good_key_is_let_in(house: House) -> None:
    with Okapia(house.url, house.key()) as okapia:
        answer = okapia.detect(FOX)

    assert answer.annotations[0].label == "red fox"


@pytest.mark.parametrize("key", [None, "ok_live_of_nobody"], ids=["none", "unknown"])
def test_a_missing_or_unknown_key_is_refused(
    house: House, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OKAPIA_API_KEY", raising=False)
    monkeypatch.delenv("ANIMAL_DETECT_API_KEY", raising=False)
    house.key()

    with Okapia(house.url, key) as okapia, pytest.raises(AuthenticationError) as caught:
        okapia.detect(FOX)

    assert caught.value.status == 401
    assert caught.value.request_id


def test_a_key_without_the_scope_is_refused(house: House) -> None:
    with Okapia(house.url, house.key(scopes={Scope.READ})) as okapia, pytest.raises(PermissionDenied):
        okapia.detect(FOX)


def test_an_account_with_too_few_credits_is_refused_and_charged_nothing(house: House) -> None:
    with Okapia(house.url, house.key(plan="metered")) as okapia:
        first = list(okapia.batch_detect([FOX, FOX]))
        with pytest.raises(CreditsSpent):
            list(okapia.batch_detect([FOX, FOX]))
        usage = okapia.usage()

    assert [item.error for item in first] == [None, None]
    assert (usage.credits.included_total, usage.credits.total_available) == (3, 1)
    assert usage.requests.today == 1


def test_a_call_made_twice_under_one_key_is_charged_once(house: House) -> None:
    with Okapia(house.url, house.key(plan="metered")) as okapia:
        first = okapia.detect(FOX, idempotency_key="picture 12")
        second = okapia.detect(FOX, idempotency_key="picture 12")

        assert second == first
        assert okapia.usage().credits.included_used == 1


def test_too_many_calls_are_refused_with_the_time_to_come_again(house: House) -> None:
    key = house.key(rates=Rates(inference=1))

    with Okapia(house.url, key, max_retries=0) as okapia:
        okapia.detect(FOX)
        with pytest.raises(RateLimited) as caught:
            okapia.detect(FOX)

    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 60


def test_an_answer_can_be_had_again_until_it_is_deleted(house: House) -> None:
    with Okapia(house.url, house.key()) as okapia:
        answer = okapia.detect(FOX)

        again = okapia.result(answer.id)
        okapia.delete_result(answer.id)
        with pytest.raises(NotFound):
            okapia.result(answer.id)

    assert (again.status, again.endpoint) == ("success", "/v1/detect")
    assert again.annotations == answer.annotations
    assert again.expires_at == answer.expires_at


def test_a_batch_can_be_had_again_whole(house: House) -> None:
    with Okapia(house.url, house.key()) as okapia:
        items = list(okapia.batch_filter([FOX, b"no picture"]))

        again = okapia.result(items[0].batch_id or "")

    assert [len(item.detections) for item in again.results] == [1, 0]
    assert again.results[1].error == items[1].error


def test_an_answer_is_its_owners_alone(house: House) -> None:
    with Okapia(house.url, house.key()) as ada, Okapia(house.url, house.key()) as bo:
        answer = ada.detect(FOX)

        with pytest.raises(NotFound):
            bo.result(answer.id)
        with pytest.raises(NotFound):
            bo.delete_result(answer.id)


@pytest.mark.parametrize("answer_id", ["", ".", ".."])
def test_an_id_that_leads_elsewhere_is_not_sent(okapia: Okapia, answer_id: str) -> None:
    with pytest.raises(ValueError, match="expected the id of something"):
        okapia.delete_result(answer_id)


def test_an_id_cannot_leave_its_place_in_the_path(okapia: Okapia) -> None:
    with pytest.raises(NotFound):
        okapia.taxon("../models")
