"""The documents: links that lead somewhere, decisions numbered without gaps."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DECISIONS = REPOSITORY / "docs" / "decisions"
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def links(document: Path) -> list[str]:
    """Give the targets of links within the repository."""
    targets = _LINK.findall(_CODE.sub("", document.read_text(encoding="utf-8")))
    return [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def anchors(document: Path) -> set[str]:
    """Give the names that headings get in rendered pages: lower case, hyphens, no punctuation."""
    headings = _HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    broken = []
    for link in links(document):
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_decisions_are_numbered_without_gaps_and_indexed() -> None:
    files = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")

    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    assert [name for name in files if f"({name})" not in index] == []


def test_a_decision_is_at_most_a_page() -> None:
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in DECISIONS.glob("*.md")
    }

    assert {name: length for name, length in lengths.items() if length > 45} == {}
