"""Secrets in files, and secrets encrypted with them."""

import base64
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from okapia.domain.storage_errors import SecretDamaged, StorageUnavailable
from okapia.storage.secrets import Sealed, Vault, load_or_make_secret

HOOK = "whsec_lynx-at-the-waterhole"

LOADER = """
import sys
from pathlib import Path
from okapia.storage.secrets import load_or_make_secret

print("ready", flush=True)
sys.stdin.readline()
print(load_or_make_secret(Path(sys.argv[1]), "jwt").hex())
"""


def start_loader(home: Path) -> "subprocess.Popen[str]":
    """Start a process that waits for a line before it loads the secret."""
    command = [sys.executable, "-c", LOADER, str(home)]
    loader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert loader.stdout is not None
    loader.stdout.readline()
    return loader


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(load_or_make_secret(tmp_path, "vault"))


def test_a_secret_is_made_once_and_stays(tmp_path: Path) -> None:
    secret = load_or_make_secret(tmp_path, "urls")

    assert len(secret) == 32
    assert load_or_make_secret(tmp_path, "urls") == secret
    assert load_or_make_secret(tmp_path, "jwt") != secret
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == ["jwt", "urls"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    load_or_make_secret(tmp_path / "home", "urls")

    folder = tmp_path / "home" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "urls").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    loaders = [start_loader(tmp_path) for _ in range(4)]

    for loader in loaders:
        assert loader.stdin is not None
        loader.stdin.write("go\n")
        loader.stdin.flush()
    secrets = {loader.communicate(timeout=60)[0].strip() for loader in loaders}

    assert secrets == {load_or_make_secret(tmp_path, "jwt").hex()}
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["jwt"]


@pytest.mark.parametrize("n_bytes", [0, 31, 33])
def test_a_secret_of_another_length_is_damaged_and_stays(tmp_path: Path, n_bytes: int) -> None:
    load_or_make_secret(tmp_path, "urls")
    path = tmp_path / "secrets" / "urls"
    path.write_bytes(bytes(n_bytes))

    with pytest.raises(SecretDamaged, match=f"expected 32 bytes in secrets/urls, it has {n_bytes}"):
        load_or_make_secret(tmp_path, "urls")

    assert path.read_bytes() == bytes(n_bytes)


def test_a_home_that_cannot_hold_secrets_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_bytes(b"")

    with pytest.raises(StorageUnavailable, match="cannot keep secrets: ") as caught:
        load_or_make_secret(tmp_path, "urls")

    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("secret", [HOOK, "", "Füchse 狐", "x" * 10_000])
def test_what_is_sealed_is_opened_by_a_later_process(vault: Vault, tmp_path: Path, secret: str) -> None:
    sealed = vault.seal(secret, owner="webhook:1")

    assert Vault(load_or_make_secret(tmp_path, "vault")).open(sealed, owner="webhook:1") == secret


def test_what_is_sealed_shows_neither_the_secret_nor_that_two_are_the_same(vault: Vault) -> None:
    sealed = [vault.seal(HOOK, owner="webhook:1") for _ in range(100)]

    assert len(set(sealed)) == 100
    assert not [text for text in sealed if HOOK.encode() in base64.urlsafe_b64decode(text)]


def test_a_sealed_secret_opens_for_its_owner_only(vault: Vault) -> None:
    sealed = vault.seal(HOOK, owner="webhook:1")

    with pytest.raises(SecretDamaged):
        vault.open(sealed, owner="webhook:2")


def test_a_sealed_secret_opens_with_its_key_only(vault: Vault) -> None:
    sealed = vault.seal(HOOK, owner="webhook:1")

    with pytest.raises(SecretDamaged) as caught:
        Vault(bytes(32)).open(sealed, owner="webhook:1")

    shown = "".join(traceback.format_exception(caught.value))
    assert HOOK not in shown
    assert sealed not in shown


def test_every_changed_byte_is_noticed(vault: Vault) -> None:
    data = base64.urlsafe_b64decode(vault.seal(HOOK, owner="webhook:1"))

    for i in range(len(data)):
        changed = bytes([*data[:i], data[i] ^ 1, *data[i + 1 :]])
        with pytest.raises(SecretDamaged):
            vault.open(Sealed(base64.urlsafe_b64encode(changed).decode()), owner="webhook:1")


@pytest.mark.parametrize("text", ["", "x", "no base64: ä", "AAAA", HOOK])
def test_what_was_never_sealed_is_not_opened(vault: Vault, text: str) -> None:
    with pytest.raises(SecretDamaged):
        vault.open(Sealed(text), owner="webhook:1")


def test_a_vault_does_not_show_its_key(tmp_path: Path) -> None:
    key = load_or_make_secret(tmp_path, "vault")

    assert key.hex() not in repr(Vault(key))
    assert repr(key) not in repr(Vault(key))
