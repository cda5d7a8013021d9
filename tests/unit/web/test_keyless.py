"""Without people no key is needed, by this machine's own programs and by nobody else."""

import pytest

from okapia.domain.callers import Role
from tests.unit.web.conftest import House, bearer

ROUTE = "/v1/countries"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "[::1]"]
)
def test_programs_on_this_machine_need_no_key(house: House, host: str) -> None:
    assert house.client.get(ROUTE, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["okapia.example", "127.0.0.1.example", "localhost.example:8000", "10.0.0.4", ""]
)
def test_a_name_that_merely_leads_here_is_refused(house: House, host: str) -> None:
    answer = house.client.get(ROUTE, headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://page.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_that_are_not_the_servers_own_are_refused(house: House, headers: dict[str, str]) -> None:
    answer = house.client.post("/v1/detect", headers=headers, files={"image": b"x"})

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Via"])
def test_what_a_proxy_hands_on_is_refused(house: House, header: str) -> None:
    answer = house.client.get(ROUTE, headers={header: "203.0.113.7"})

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


def test_the_servers_own_page_is_answered(house: House) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}

    assert house.client.get(ROUTE, headers=headers).status_code == 200


def test_a_wrong_key_is_refused_even_where_none_is_needed(house: House) -> None:
    answer = house.client.get(ROUTE, headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


def test_the_first_user_ends_it_at_once(house: House) -> None:
    before = house.client.get(ROUTE).status_code

    house.add("ada", role=Role.ADMIN)

    assert (before, house.client.get(ROUTE).status_code) == (200, 401)
    assert house.client.get(ROUTE, headers=bearer(house.key_of("ada"))).status_code == 200


def test_a_key_serves_under_any_name(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    headers = bearer(house.key_of("ada")) | {"Host": "okapia.example", "Origin": "https://page.example"}

    assert house.client.get(ROUTE, headers=headers).status_code == 200
