"""`okapia doctor --exposed` finds what strangers could use, says why, and names the line that mends it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner, Result

from okapia.cli.accounts_desk import open_accounts
from okapia.cli.main import app
from okapia.domain.callers import Role
from okapia.settings import Settings
from okapia.storage.secrets import load_or_make_secret

OUTSIDE = "192.0.2.7"
"""An address that others could reach, of those kept for documents (RFC 5737)."""

GOOD = {
    "OKAPIA_HOST": "127.0.0.1",
    "OKAPIA_PUBLIC_URL": "https://okapia.example",
    "OKAPIA_ALLOWED_HOSTS": '["okapia.example"]',
    "OKAPIA_TRUSTED_PROXIES": '["127.0.0.1"]',
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server behind a proxy, with an admin and with a user who has limits."""
    home = tmp_path / "home"
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OKAPIA_{name.upper()}", raising=False)
    for name, value in {**GOOD, "OKAPIA_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    add("ada", Role.ADMIN, "unlimited")
    add("ben", Role.USER, "public")
    load_or_make_secret(home, "tokens")
    return home


def add(name: str, role: Role, plan: str) -> None:
    accounts = open_accounts(Settings())
    with accounts.database.write() as connection:
        accounts.users.add(connection, name, role=role, plan=plan, password_hash=None, actor="a test")
    accounts.database.close()


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(
        app, ["doctor", "--exposed", *arguments], env=environment, catch_exceptions=False
    )


def findings(**environment: str) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = json.loads(doctor("--json", **environment).stdout)["findings"]
    return found


def bad(**environment: str) -> set[tuple[str, str]]:
    """Subjects and states of what is not as it should be."""
    return {(each["subject"], each["state"]) for each in findings(**environment) if each["state"] != "ok"}


def test_a_server_behind_a_proxy_with_limits_has_nothing_to_mend() -> None:
    result = doctor()

    assert (result.exit_code, bad()) == (0, set())


@pytest.mark.parametrize(
    ("setting", "value", "subject", "state"),
    [
        ("OKAPIA_PUBLIC_URL", "http://okapia.example", "encryption", "failed"),
        ("OKAPIA_TLS_KEY", "key.pem", "encryption", "failed"),
        ("OKAPIA_HOST", OUTSIDE, "encryption", "warning"),
        ("OKAPIA_PUBLIC_URL", "", "names", "warning"),
        ("OKAPIA_ALLOWED_HOSTS", "[]", "names", "warning"),
        ("OKAPIA_TRUSTED_PROXIES", '["0.0.0.0/0"]', "proxies", "failed"),
        ("OKAPIA_TRUSTED_PROXIES", '["proxy"]', "proxies", "failed"),
        ("OKAPIA_SOURCE_ROOTS", '["/"]', "sources", "failed"),
        ("OKAPIA_FETCH_URLS", "true", "sources", "warning"),
        ("OKAPIA_PRIVATE_WEBHOOKS", "true", "webhooks", "failed"),
        ("OKAPIA_CORS_ORIGINS", '["*"]', "pages", "failed"),
        ("OKAPIA_HTTP_FORMATS", '["JPEG", "TIFF"]', "formats", "warning"),
        ("OKAPIA_MAX_JOB_BYTES", str(10**15), "disk", "failed"),
        ("OKAPIA_DATABASE", "mysql://nowhere", "people", "failed"),
    ],
)
def test_what_strangers_could_use_is_found(setting: str, value: str, subject: str, state: str) -> None:
    (found,) = [each for each in findings(**{setting: value}) if each["state"] != "ok"]

    assert (found["subject"], found["state"]) == (subject, state)
    assert found["advice"]


def test_plain_http_for_everybody_is_worse_than_behind_a_proxy() -> None:
    assert ("encryption", "failed") in bad(OKAPIA_HOST=OUTSIDE, OKAPIA_TRUSTED_PROXIES="[]")


def test_a_certificate_of_its_own_is_enough(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("okapia.example")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "key.pem").chmod(0o600)

    found = bad(
        OKAPIA_HOST=OUTSIDE,
        OKAPIA_TRUSTED_PROXIES="[]",
        OKAPIA_TLS_KEY=str(tmp_path / "key.pem"),
        OKAPIA_TLS_CERTIFICATE=str(tmp_path / "cert.pem"),
    )

    assert found == set()


def test_without_an_admin_it_fails_and_says_the_command(home: Path) -> None:
    shutil.rmtree(home)

    result = doctor()

    assert result.exit_code == 1
    assert "-> okapia users add NAME --role admin" in result.stdout
    assert not home.exists()


def test_a_user_without_limits_is_named_and_an_admin_is_not() -> None:
    add("eve", Role.USER, "unlimited")

    plans = [each for each in findings() if each["subject"] == "plans"]

    assert {each["state"] for each in plans} == {"warning"}
    assert all(each["fact"].startswith("eve: ") for each in plans)
    assert {each["advice"] for each in plans} == {"okapia credits plan eve public"}


@pytest.mark.parametrize(
    ("name", "mode", "state"),
    [("secrets/tokens", 0o640, "failed"), ("secrets", 0o755, "failed"), ("okapia.db", 0o644, "failed")],
)
def test_files_that_others_can_read_are_named_with_the_command(
    home: Path, name: str, mode: int, state: str
) -> None:
    (home / name).chmod(mode)

    (found,) = [each for each in findings() if each["state"] != "ok"]

    assert (found["subject"], found["state"]) == ("files", state)
    assert found["advice"].startswith("chmod ")
    assert found["advice"].endswith(str(home / name))


def test_why_and_what_to_do_stand_below_what_was_found() -> None:
    lines = doctor(OKAPIA_CORS_ORIGINS='["*"]').stdout.splitlines()

    place = next(place for place, line in enumerate(lines) if line.startswith("failed   pages"))
    assert "any page" in lines[place + 1]
    assert lines[place + 2].strip().startswith("-> OKAPIA_CORS_ORIGINS=")
