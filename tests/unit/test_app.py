"""Dialects are found, and two that claim one path stop the start."""

import pytest
from fastapi import APIRouter

from okapia.app import Claims, claim
from okapia.dialects.base import discover
from okapia.domain.errors import InvalidSettings


def router(path: str) -> APIRouter:
    routes = APIRouter()
    routes.add_api_route(path, lambda: None, methods=["POST"])
    return routes


def test_the_dialects_of_this_version() -> None:
    names = [dialect.name for dialect in discover()]

    ours = ["keys", "models", "operations", "species", "webhooks"]
    assert sorted({*names} - {*ours}) == ["animaldetect", "atlas", "speciesnet"]
    assert {*ours} <= {*names}


def test_two_dialects_with_one_path_stop_the_start_with_both_named() -> None:
    claims: Claims = {}
    claim(router("/v1/detect"), "first", claims)

    with pytest.raises(InvalidSettings, match="first and by second"):
        claim(router("/v1/detect"), "second", claims)


def test_two_dialects_with_different_paths_live_together() -> None:
    claims: Claims = {}

    claim(router("/v1/detect"), "first", claims)
    claim(router("/detect"), "second", claims)

    owners = {where: claim.dialect for where, claim in claims.items()}
    assert owners == {("POST", "/v1/detect"): "first", ("POST", "/detect"): "second"}
