"""How the server listens: addresses, certificates, proxies, and what its first lines say."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from fastapi import FastAPI

from okapia.cli.listening import Tls, bind, load_tls, make_server, own_url
from okapia.cli.serve import _curl_line, _mode
from okapia.domain.errors import InvalidSettings
from okapia.settings import Settings


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """A certificate for localhost and its key."""
    return issued(tmp_path, "localhost")


def issued(folder: Path, name: str) -> Tls:
    certificate = trustme.CA().issue_cert(name)
    files = Tls(folder / f"{name}.pem", folder / f"{name}-key.pem")
    certificate.cert_chain_pems[0].write_to_path(files.certificate)
    certificate.private_key_pem.write_to_path(files.key)
    return files


def listener(*, on_ipv6: bool = False) -> socket.socket:
    return bind("::1" if on_ipv6 else "127.0.0.1", 0)


def test_a_certificate_and_its_key_are_taken(tls: Tls) -> None:
    assert load_tls(tls.certificate, tls.key) == tls


def test_none_of_both_is_no_tls() -> None:
    assert load_tls(None, None) is None


def test_one_without_the_other_is_refused_by_name(tls: Tls) -> None:
    with pytest.raises(InvalidSettings, match="both tls_certificate and tls_key"):
        load_tls(tls.certificate, None)
    with pytest.raises(InvalidSettings, match="both tls_certificate and tls_key"):
        load_tls(None, tls.key)


def test_the_key_of_another_certificate_is_refused(tls: Tls, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="KEY_VALUES_MISMATCH"):
        load_tls(tls.certificate, issued(tmp_path, "other.example").key)


def test_files_that_are_missing_or_no_certificate_are_refused_without_their_path(
    tls: Tls, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.write_text("these are my notes", encoding="utf-8")

    for certificate, key in ((notes, tls.key), (tls.certificate, notes), (tmp_path / "gone", tls.key)):
        with pytest.raises(InvalidSettings) as refused:
            load_tls(certificate, key)
        assert str(tmp_path) not in str(refused.value)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tls: Tls) -> None:
    key = load_pem_private_key(tls.key.read_bytes(), password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame"))
    tls.key.write_bytes(locked)

    with pytest.raises(InvalidSettings, match="tls_certificate, tls_key"):
        load_tls(tls.certificate, tls.key)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_bound_port_lets_calls_wait(host: str) -> None:
    with bind(host, 0) as server, socket.create_connection(server.getsockname()[:2], timeout=5):
        pass


def test_a_port_that_is_taken_is_refused_with_the_option_that_helps() -> None:
    with listener() as taken, pytest.raises(InvalidSettings, match=r"not to be had.*--port"):
        bind("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid", "not an address"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(InvalidSettings, match="host"):
        bind(host, 0)


def test_the_url_is_one_that_a_client_can_use(tls: Tls) -> None:
    with listener() as four, listener(on_ipv6=True) as six:
        ports = [each.getsockname()[1] for each in (four, six)]

        assert own_url("127.0.0.1", four, None) == f"http://127.0.0.1:{ports[0]}"
        assert own_url("127.0.0.1", four, tls) == f"https://127.0.0.1:{ports[0]}"
        assert own_url("::1", six, None) == f"http://[::1]:{ports[1]}"
        assert own_url("::", six, None) == f"http://localhost:{ports[1]}"


def test_only_named_proxies_are_believed() -> None:
    alone = make_server(FastAPI(), tls=None, settings=Settings()).config
    behind = make_server(FastAPI(), tls=None, settings=Settings(trusted_proxies=("10.0.0.2",))).config

    assert (alone.proxy_headers, alone.forwarded_allow_ips) == (False, [])
    assert (behind.proxy_headers, behind.forwarded_allow_ips) == (True, ["10.0.0.2"])


@pytest.mark.parametrize("proxy", ["*", "nginx", "10.0.0.2/24", "10.0.0.300"])
def test_a_proxy_that_is_no_address_is_refused(proxy: str) -> None:
    with pytest.raises(InvalidSettings, match=r"trusted_proxies.*10\.0\.0\.0/24"):
        make_server(FastAPI(), tls=None, settings=Settings(trusted_proxies=(proxy,)))


def test_the_server_does_not_say_what_it_is_made_of_and_speaks_todays_tls(tls: Tls) -> None:
    config = make_server(FastAPI(), tls=tls, settings=Settings()).config
    config.load()

    assert not config.server_header
    assert config.ssl is not None
    assert config.ssl.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("n_users", "words"),
    [
        (0, "no key needed: programs on this machine only"),
        (1, "keys needed: 1 user"),
        (3, "keys needed: 3 users"),
    ],
)
def test_the_first_line_says_who_is_answered(n_users: int, words: str) -> None:
    assert _mode(n_users) == words


def test_the_first_call_has_a_key_where_one_is_needed(tmp_path: Path) -> None:
    with_key = _curl_line("https://okapia.example", tmp_path, 1)
    without = _curl_line("http://127.0.0.1:8000", tmp_path, 0)

    assert 'curl -H "Authorization: Bearer $OKAPIA_KEY" -F' in with_key
    assert with_key.endswith("https://okapia.example/v1/detect")
    assert "Authorization" not in without


@pytest.mark.parametrize(
    ("settings", "is_loopback"),
    [
        (Settings(), True),
        (Settings(host="::1"), True),
        (Settings(host="localhost", public_url="http://127.0.0.1:9000"), True),
        (Settings(host="192.0.2.7"), False),
        (Settings(host="::"), False),
        (Settings(host="okapia.example"), False),
        (Settings(public_url="https://okapia.example"), False),
        (Settings(trusted_proxies=("127.0.0.1",)), False),
    ],
)
def test_who_is_reached_through_a_proxy_is_not_alone(settings: Settings, is_loopback: bool) -> None:  # noqa: FBT001
    assert settings.is_loopback is is_loopback
