"""A server that others can reach, as a process: who gets in, by which name, and over what."""

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.acceptance.okapia_process import okapia, server

ROUTE = "/v1/countries"


@dataclass(frozen=True, slots=True)
class Home:
    """A home without models, and what its commands and servers are started with."""

    settings: Mapping[str, str]
    key: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """Nobody has an account."""
    return Home({"OKAPIA_HOME": str(tmp_path / "home")})


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An admin with a key."""
    settings = {"OKAPIA_HOME": str(tmp_path_factory.mktemp("staffed"))}
    assert okapia("users", "add", "ada", "--role", "admin", settings=settings).returncode == 0
    made = okapia("keys", "create", "--name", "camera", "--json", settings=settings)
    return Home(settings, json.loads(made.stdout)["key"])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> dict[str, str]:
    """The settings of a certificate for this machine."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("localhost", "127.0.0.1", "::1")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    return {
        "OKAPIA_TLS_CERTIFICATE": str(folder / "cert.pem"),
        "OKAPIA_TLS_KEY": str(folder / "key.pem"),
    }


@pytest.fixture(scope="module")
def exposed(staffed: Home, tls: Mapping[str, str], authority: trustme.CA) -> Iterator[httpx.Client]:
    """A client of a server that listens everywhere, with TLS."""
    with server(["--host", "0.0.0.0"], settings={**staffed.settings, **tls}) as (url, lines, _):  # noqa: S104
        assert url.startswith("https://localhost:")
        assert "keys needed: 1 user" in lines[0]
        with httpx.Client(base_url=url, verify=trusting(authority)) as client:
            yield client


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize(
    "settings",
    [
        {"OKAPIA_HOST": "0.0.0.0"},  # noqa: S104
        {"OKAPIA_HOST": "::"},
        {"OKAPIA_PUBLIC_URL": "https://okapia.example"},
        {"OKAPIA_TRUSTED_PROXIES": '["127.0.0.1"]'},
    ],
    ids=["everywhere", "everywhere by IPv6", "under a public name", "behind a proxy"],
)
def test_where_others_can_reach_it_nothing_starts_without_an_admin(
    bare: Home, settings: Mapping[str, str]
) -> None:
    refused = okapia("serve", "--port", "0", settings={**bare.settings, **settings})

    assert refused.returncode == 2
    assert "okapia users add NAME --role admin" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_user_who_is_no_admin_is_not_enough(bare: Home) -> None:
    okapia("users", "add", "ben", settings=bare.settings)

    refused = okapia("serve", "--port", "0", "--host", "0.0.0.0", settings=bare.settings)  # noqa: S104

    assert refused.returncode == 2


def test_with_a_key_a_call_is_answered_over_tls(exposed: httpx.Client, staffed: Home) -> None:
    answers = {
        "none": exposed.get(ROUTE),
        "wrong": exposed.get(ROUTE, headers={"Authorization": f"Bearer {staffed.key}x"}),
        "right": exposed.get(ROUTE, headers=staffed.bearer),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "none": 401,
        "wrong": 401,
        "right": 200,
    }
    assert all("server" not in answer.headers for answer in answers.values())


def test_strangers_learn_that_it_lives_and_nothing_else(exposed: httpx.Client, staffed: Home) -> None:
    alive = exposed.get("/healthz")
    statuses = {
        path: (exposed.get(path).status_code, exposed.get(path, headers=staffed.bearer).status_code)
        for path in ("/metrics", "/docs", "/openapi.json", "/v1/models", "/v1/keys")
    }

    assert alive.json() == {"status": "ok"}
    assert set(statuses.values()) == {(401, 200)}, statuses


def test_without_tls_nothing_is_answered(exposed: httpx.Client) -> None:
    plain = str(exposed.base_url).replace("https", "http")

    with pytest.raises(httpx.TransportError):
        httpx.get(f"{plain}/healthz")


def test_a_client_that_does_not_trust_its_certificate_stays_away(exposed: httpx.Client) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{exposed.base_url}/healthz")


def test_a_certificate_without_its_key_is_said_before_anything_listens(
    bare: Home, tls: Mapping[str, str]
) -> None:
    half = {"OKAPIA_TLS_CERTIFICATE": tls["OKAPIA_TLS_CERTIFICATE"]}

    refused = okapia("serve", "--port", "0", settings={**bare.settings, **half})

    assert refused.returncode == 2
    assert "expected both tls_certificate and tls_key" in refused.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_without_users_this_machines_programs_need_no_key(bare: Home, host: str) -> None:
    with server(["--host", host], settings=bare.settings) as (url, lines, _):
        answer = httpx.get(url + ROUTE)

    assert "(no key needed: programs on this machine only)" in lines[0]
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "okapia.example"}, 403),
        ({"Host": "127.0.0.1.okapia.example"}, 403),
        ({"Host": "192.0.2.7"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200),
        ({"Origin": "https://page.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Authorization": "Bearer ok_live_wrong"}, 401),
    ],
)
def test_without_users_no_page_and_no_other_name_is_answered(
    keyless: str, headers: Mapping[str, str], status: int
) -> None:
    assert httpx.get(keyless + ROUTE, headers=dict(headers)).status_code == status


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on which nobody has an account."""
    with server(settings={"OKAPIA_HOME": str(tmp_path_factory.mktemp("keyless"))}) as (url, _, _):
        yield url


def test_the_first_user_ends_the_time_without_keys_of_a_running_server(bare: Home) -> None:
    with server(settings=bare.settings) as (url, _, _):
        before = httpx.get(url + ROUTE).status_code
        okapia("users", "add", "ada", "--role", "admin", settings=bare.settings)
        after = httpx.get(url + ROUTE).status_code

    assert (before, after) == (200, 401)


@pytest.mark.parametrize(
    ("proxies", "scheme"), [('["127.0.0.1"]', "https"), ('["192.0.2.7"]', "http"), ("[]", "http")]
)
def test_only_a_trusted_proxy_says_that_a_call_came_by_tls(staffed: Home, proxies: str, scheme: str) -> None:
    settings = {**staffed.settings, "OKAPIA_TRUSTED_PROXIES": proxies}
    claims = {"Host": "okapia.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1"}
    job = {"operation": "detect", "filename": "fox.jpg", "content_type": "image/jpeg"}

    with server(settings=settings) as (url, _, _):
        made = httpx.post(f"{url}/v1/jobs", json=job, headers={**staffed.bearer, **claims})

    assert made.json()["upload"]["url"].startswith(f"{scheme}://okapia.example/")


def test_no_key_is_in_the_logs(staffed: Home) -> None:
    settings = {**staffed.settings, "OKAPIA_LOG_LEVEL": "debug"}
    with server(settings=settings) as (url, _, process):
        for path in (f"{ROUTE}?key={staffed.key}", f"/v1/nothing?api_key={staffed.key}", ROUTE):
            httpx.get(url + path, headers=staffed.bearer)
        httpx.post(f"{url}/v1/detect?token={staffed.key}", data={"password": "hunter2"})
        process.terminate()
        _, logged = process.communicate(timeout=60)

    assert "Started server process" in logged
    assert all(json.loads(line)["event"] for line in logged.splitlines())
    assert staffed.key.rpartition("_")[2] not in logged
    assert "hunter2" not in logged
