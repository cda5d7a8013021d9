"""`gateway_networks`: which machines may have pictures looked at without a key, and what they may not."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from okapia.domain.callers import Role
from okapia.settings import Settings
from tests.unit.dialects.watchers import Site, bearer, gateway_service, opened_site, picture

CAMERAS, OUTSIDE = "192.168.1.20", "203.0.113.7"
NETWORKS = tuple(map(ip_network, ("192.168.1.0/24", "fd00:1::/64", "10.7.7.7")))
GATEWAYS = pytest.mark.parametrize(
    ("route", "field"),
    [
        ("/v1/vision/detection", "image"),
        ("/v1/vision/face", "image"),
        ("/v1/vision/custom/guard", "image"),
        ("/infer", "image"),
        ("/detect", "file"),
        ("/api/v1/infer", "image"),
        ("/api/v1/detect", "file"),
        ("/compat/pyzm/infer", "image"),
    ],
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with people that others can reach, and cameras that have no keys."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, host="0.0.0.0", gateway_networks=NETWORKS)  # noqa: S104 - as on a LAN
    with opened_site_with_people(settings) as site:
        yield site


@contextmanager
def opened_site_with_people(settings: Settings) -> Iterator[Site]:
    """Open a server with an admin and a viewer."""
    with opened_site(settings, gateway_service(settings.home), admin="ada") as site:
        site.add("vera", role=Role.VIEWER)
        yield site


def send(
    client: TestClient,
    *,
    route: str = "/v1/vision/detection",
    field: str = "image",
    headers: dict[str, str] | None = None,
) -> int:
    """Send a picture; gives the status."""
    files = {field: ("a.jpg", picture(), "image/jpeg")}
    return client.post(route, data={"type": "object"}, files=files, headers=headers).status_code


@GATEWAYS
def test_machines_of_the_networks_need_no_key_where_gateways_look(site: Site, route: str, field: str) -> None:
    assert send(site.at(CAMERAS), route=route, field=field) == 200
    assert send(site.at(OUTSIDE), route=route, field=field) == 401


@pytest.mark.parametrize(
    "address", [CAMERAS, "192.168.1.255", "fd00:1::8", "10.7.7.7", "::ffff:192.168.1.20", "fd00:1::8%eth0"]
)
def test_addresses_within_a_network_count_however_they_are_written(site: Site, address: str) -> None:
    assert send(site.at(address)) == 200


@pytest.mark.parametrize(
    "address",
    [
        OUTSIDE,
        "192.168.2.20",
        "fd00:2::8",
        "10.7.7.8",
        "127.0.0.1",
        "::1",
        "::ffff:203.0.113.7",
        "",
        "testclient",
    ],
)
def test_other_addresses_do_not(site: Site, address: str) -> None:
    assert send(site.at(address)) == 401


def test_nobody_is_let_in_by_default(tmp_path: Path) -> None:
    with opened_site_with_people(Settings(home=tmp_path, host="0.0.0.0")) as site:  # noqa: S104 - as on a LAN
        assert {send(site.at(address)) for address in (CAMERAS, OUTSIDE, "127.0.0.1")} == {401}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/detect"),
        ("POST", "/predict"),
        ("POST", "/api/v1/detect/object"),
        ("GET", "/v1/models"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/usage"),
        ("GET", "/metrics"),
    ],
)
def test_the_networks_open_no_other_contract(site: Site, method: str, path: str) -> None:
    assert site.at(CAMERAS).request(method, path).status_code == 401


def test_the_native_contract_is_not_opened_by_the_path_it_shares(site: Site) -> None:
    assert send(site.at(CAMERAS), route="/api/v1/detect", field="image") == 401


def test_their_machines_may_list_models(site: Site) -> None:
    assert site.at(CAMERAS).get("/v1/vision/custom/list").status_code == 200
    assert site.at(CAMERAS).get("/models").status_code == 200


@pytest.mark.parametrize("credential", ["ok_live_nobody_has_this", "a.b.c"])
def test_a_wrong_key_is_refused_from_there_too(site: Site, credential: str) -> None:
    assert send(site.at(CAMERAS), headers=bearer(credential)) == 401


def test_a_right_key_is_who_calls(site: Site) -> None:
    headers = bearer(site.key_of("vera"))

    assert send(site.at(CAMERAS), headers=headers) == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_a_header_about_an_address_lets_nobody_in(site: Site, header: str) -> None:
    assert send(site.at(OUTSIDE), headers={header: CAMERAS}) == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Forwarded-Host"])
def test_a_proxy_within_a_network_that_nobody_trusts_lets_nobody_in(site: Site, header: str) -> None:
    assert send(site.at(CAMERAS), headers={header: OUTSIDE}) == 401


@pytest.mark.parametrize(
    ("sender", "forwarded", "status"),
    [
        ("10.0.0.2", CAMERAS, 200),
        ("10.0.0.2", OUTSIDE, 401),
        ("10.0.0.2", f"{CAMERAS}, {OUTSIDE}", 401),
        (OUTSIDE, CAMERAS, 401),
        (CAMERAS, OUTSIDE, 200),
    ],
    ids=["a camera by proxy", "a stranger by proxy", "a stranger's own header", "no proxy", "a camera's own"],
)
def test_a_trusted_proxys_word_counts_and_no_other(
    tmp_path: Path, sender: str, forwarded: str, status: int
) -> None:
    settings = Settings(
        home=tmp_path,
        host="0.0.0.0",  # noqa: S104 - as on a LAN
        gateway_networks=NETWORKS,
        trusted_proxies=("10.0.0.2",),
    )
    with opened_site_with_people(settings) as site:
        behind = FastAPI()
        behind.mount("/", site.app)
        behind.add_middleware(ProxyHeadersMiddleware, trusted_hosts=["10.0.0.2"])
        client = TestClient(behind, base_url="http://okapia.lan", client=(sender, 50_000))
        assert send(client, headers={"X-Forwarded-For": forwarded}) == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://page.example"},
        {"Origin": "null"},
        {"Origin": "http://okapia.lan:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
@GATEWAYS
def test_a_page_in_a_browser_of_such_a_machine_is_refused(
    site: Site, headers: dict[str, str], route: str, field: str
) -> None:
    assert send(site.at(CAMERAS), route=route, field=field, headers=headers) == 403
