"""Decision 0014: which licences the installed libraries may have."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOTICE = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")

FORBIDDEN = re.compile(
    r"\b(?:A?GPL(?:v?\d[\w.+-]*)?|SSPL|Affero|Server Side Public License)\b"
    r"|(?<!Lesser )(?<!Library )\bGeneral Public License\b",
    re.IGNORECASE,
)
WEAK = re.compile(
    r"\b(?:LGPL(?:v?\d[\w.+-]*)?|MPL|Mozilla Public License|(?:Lesser|Library) General Public License)\b",
    re.IGNORECASE,
)
EXEMPT = re.compile(r"GPL-3\.0(?:-or-later|-only|\+)? WITH GCC-exception-3\.1", re.IGNORECASE)
"""GCC's run-time libraries: their exception lets programs under any licence use them."""


def required(name: str, *, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """Give what one installed package needs on this machine, with the extras that it asks for."""
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        wanted = extras or {""}
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in wanted):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def runtime_closure() -> list[Distribution]:
    """Give every package that `pip install okapia` brings, Okapia left out."""
    pending = list(required("okapia"))
    seen = set(pending)
    while pending:
        name, extras = pending.pop()
        new = set(required(name, extras=extras)) - seen
        seen |= new
        pending.extend(new)
    return [distribution(name) for name in sorted({name for name, _ in seen})]


def licence(package: Distribution) -> str:
    """Give what a package says of its licence; some put the whole text there, which is left out."""
    said = package.metadata.get_all("License-Expression") or []
    if not said:
        said = [text for text in package.metadata.get_all("License") or [] if len(text) < 200]
    classifiers = package.metadata.get_all("Classifier") or []
    return "; ".join([*said, *(line for line in classifiers if line.startswith("License ::"))])


PACKAGES = {package.name: licence(package) for package in runtime_closure()}


@pytest.mark.parametrize(("name", "said"), PACKAGES.items(), ids=PACKAGES.keys())
def test_a_library_that_okapia_installs_has_an_allowed_licence(name: str, said: str) -> None:
    named_in_notice = re.search(rf"^{re.escape(name)}\b", NOTICE, re.MULTILINE | re.IGNORECASE)

    assert said, f"{name} names no licence"
    assert not FORBIDDEN.search(EXEMPT.sub("", said)), f"{name}: {said}"
    assert named_in_notice or not WEAK.search(said), f"{name} ({said}) is missing from NOTICE"


def test_the_closure_reaches_what_libraries_need_themselves() -> None:
    assert {"fastapi", "starlette", "onnxruntime", "numpy"} <= {canonicalize_name(name) for name in PACKAGES}


def test_no_test_tool_is_part_of_what_users_install() -> None:
    assert not {"pytest", "hypothesis", "mypy", "ruff"} & PACKAGES.keys()


@pytest.mark.parametrize(
    "said",
    [
        "GPL-3.0-only",
        "GPLv2+",
        "GNU GPL",
        "AGPL-3.0",
        "SSPL-1.0",
        "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "GNU Affero General Public License v3",
    ],
)
def test_strong_copyleft_is_told(said: str) -> None:
    assert FORBIDDEN.search(said)


@pytest.mark.parametrize(
    "said", ["LGPL-2.1-or-later", "GNU Lesser General Public License v3 (LGPLv3)", "MPL-2.0 AND MIT"]
)
def test_weak_copyleft_is_told_from_strong(said: str) -> None:
    assert WEAK.search(said)
    assert not FORBIDDEN.search(said)


@pytest.mark.parametrize("said", ["MIT", "BSD-3-Clause", "Apache-2.0", "MIT-CMU", "PSF-2.0"])
def test_permissive_licences_pass(said: str) -> None:
    assert not FORBIDDEN.search(said)
    assert not WEAK.search(said)
