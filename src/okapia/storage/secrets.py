"""Secrets that the server makes for itself: random bytes in files, and other secrets encrypted with them."""

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from okapia.domain.storage_errors import SecretDamaged, StorageUnavailable
from okapia.storage.private_files import incoming_file, private_folder, sync_folder, write_durably

_SECRET_BYTES = 32
_NONCE_BYTES = 12
"""Random ones, as NIST SP 800-38D (8.2.2) has them: good for 2^32 seals with one key."""

Sealed = NewType("Sealed", str)
"""A secret as the database may hold it: base64 of nonce, ciphertext and tag."""


def load_or_make_secret(home: Path, name: str) -> bytes:
    """Give the 32 random bytes of `home/secrets/NAME`, which the first call of any process makes.

    The file is for its owner alone (0600, in a folder 0700). One name has one purpose.

    Raises:
        SecretDamaged: the file has another length. It is not made anew: what it sealed would be lost.
        StorageUnavailable: it can neither be read nor made; it has to lie where hard links can be made.
    """
    try:
        secret = _load_or_make(home / "secrets", name)
    except OSError as error:
        raise StorageUnavailable(f"cannot keep secrets: {error.strerror}") from error
    if len(secret) != _SECRET_BYTES:
        raise SecretDamaged(f"expected {_SECRET_BYTES} bytes in secrets/{name}, it has {len(secret)}")
    return secret


class Vault:
    """Encrypts secrets of a few kilobytes for keeping in the database (AES-256-GCM)."""

    def __init__(self, key: bytes) -> None:
        """Take the 32 bytes of a secret that is used for nothing else."""
        self._cipher = AESGCM(key)

    def seal(self, secret: str, *, owner: str) -> Sealed:
        """Encrypt a secret; `owner` names the row that it belongs to and opens nowhere else."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())
        return Sealed(base64.urlsafe_b64encode(data).decode())

    def open(self, sealed: Sealed, *, owner: str) -> str:
        """Give the secret back.

        Raises:
            SecretDamaged: it was changed, sealed for another owner, or sealed with another key.
        """
        try:
            data = base64.urlsafe_b64decode(sealed)
            plain = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], owner.encode())
        except (binascii.Error, ValueError, InvalidTag):
            raise SecretDamaged(
                "expected a secret as it was sealed here for this owner, got another"
            ) from None
        return plain.decode()


def _load_or_make(folder: Path, name: str) -> bytes:
    path = folder / name
    with suppress(FileNotFoundError):
        return path.read_bytes()
    with incoming_file(private_folder(folder)) as incoming:
        write_durably(incoming, [secrets.token_bytes(_SECRET_BYTES)])
        # Unlike a rename, a link never replaces what another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(incoming, path)
            sync_folder(folder)
    return path.read_bytes()
