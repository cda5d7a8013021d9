"""Pictures by URL: a URL may be a secret, and is nobody's business."""

from dataclasses import replace

import pytest

from okapia.domain.errors import SourceRefused
from okapia.domain.storage_errors import SecretDamaged
from okapia.jobs.pictures import Pictures
from okapia.storage.secrets import Vault
from tests.unit.jobs.drafts import draft
from tests.unit.jobs.office import Office


def test_where_no_pictures_are_fetched_no_url_is_taken(office: Office) -> None:
    nobody = Pictures(office.blobs, vault=Vault(b"v" * 32), fetch=None, max_bytes=1000)

    with pytest.raises(SourceRefused):
        nobody.seal("https://cam.example/fox.jpg", job_id="job")


def test_a_url_is_sealed_for_its_job(office: Office) -> None:
    job = office.create(source_url="https://cam.example/fox.jpg?token=secret")

    sealed = office.get(job).sealed_source_url

    assert sealed is not None
    assert b"secret" not in sealed
    assert b"cam.example" not in sealed


def test_a_url_is_not_fetched_for_another_job(office: Office) -> None:
    sealed = office.get(office.create(source_url="https://cam.example/fox.jpg")).sealed_source_url

    with pytest.raises(SecretDamaged):
        office.desk._pictures.read(replace(draft(), sealed_source_url=sealed))
