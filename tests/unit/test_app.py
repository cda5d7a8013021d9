"""Dialects are found, and two that claim one path stop the start."""

import pytest
from fastapi import APIRouter

from okapia.app import claim
from okapia.dialects.base import discover
from okapia.domain.errors import InvalidSettings


def router(path: str) -> APIRouter:
    routes = APIRouter()
    routes.add_api_route(path, lambda: None, methods=["POST"])
    return routes


def test_the_dialects_of_this_version() -> None:
    names = [dialect.name for dialect in discover()]

    ours = ["models", "operations", "species"]
    assert sorted({*names} - {*ours}) == ["animaldetect", "atlas", "speciesnet"]
    assert {*ours} <= {*names}


def test_two_dialects_with_one_path_stop_the_start_with_both_named() -> None:
    owners: dict[tuple[str, str], str] = {}
    claim(router("/v1/detect"), "first", owners)

    with pytest.raises(InvalidSettings, match="first and by second"):
        claim(router("/v1/detect"), "second", owners)


def test_two_dialects_with_different_paths_live_together() -> None:
    owners: dict[tuple[str, str], str] = {}

    claim(router("/v1/detect"), "first", owners)
    claim(router("/detect"), "second", owners)

    assert owners == {("POST", "/v1/detect"): "first", ("POST", "/detect"): "second"}
