"""Finding taxa by what people call them."""

import unicodedata
from collections.abc import Iterable
from itertools import islice

from okapia.domain.taxonomy import Rank, Taxon

_RANKS = tuple(Rank)
_NO_MATCH = 4


def search(taxa: Iterable[Taxon], words: str, *, limit: int = 20) -> tuple[Taxon, ...]:
    """Give the taxa whose latin or common name holds `words`, best first.

    The whole name before its beginning, that before whole words within it, those before any part;
    among equals higher taxa first, then by name. Case, accents, hyphens and underscores do not
    matter. An id, alone, finds its taxon.
    """
    wanted = folded(words)
    if not wanted:
        return ()
    ranked = sorted(
        (nearness, _RANKS.index(taxon.rank), taxon.scientific_name, taxon.common_name, place, taxon)
        for place, taxon in enumerate(taxa)
        if (nearness := _nearness(taxon, wanted)) < _NO_MATCH
    )
    return tuple(taxon for *_, taxon in islice(ranked, limit))


def folded(text: str) -> str:
    """Reduce a name to lower case without accents, words parted by single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("-", " ").replace("_", " "))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def _nearness(taxon: Taxon, wanted: str) -> int:
    """0 for the same name, 1 for its beginning, 2 for words within, 3 for any part, 4 for no match."""
    names = (folded(taxon.scientific_name), folded(taxon.common_name), folded(taxon.id))
    return min(_distance(name, wanted) for name in names)


def _distance(name: str, wanted: str) -> int:
    if wanted not in name:
        return _NO_MATCH
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    return 2 if f" {wanted} " in f" {name} " else 3
