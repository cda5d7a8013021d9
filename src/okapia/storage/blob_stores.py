"""Which blob store an address means."""

from pathlib import Path

from okapia.storage.blobs import BlobStore
from okapia.storage.cloud import open_cloud
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.folder_blobs import FolderBlobs


def open_blobs(address: str, *, home: Path) -> BlobStore:
    """Open `home/blobs`, or the place in a cloud that `address` names; a cloud is not asked yet.

    Raises:
        InvalidSettings: the address is none (`CloudAddress.parse`), or the environment's credentials for
            that cloud cannot be read.
        StorageRefused, StorageUnavailable: the folder cannot be made.
    """
    return open_cloud(CloudAddress.parse(address)) if address else FolderBlobs(home / "blobs")
