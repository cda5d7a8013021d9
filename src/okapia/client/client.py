"""The client: one method for each call of the contract, typed in and out."""

import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal, Self

import httpx

from okapia.client.answers import (
    DetectAnswer,
    DetectItem,
    FilterAnswer,
    FilterItem,
    SavedAnswer,
    ScannedText,
)
from okapia.client.batch_runs import BatchRuns
from okapia.client.batches import BatchCall
from okapia.client.connection import Connection, at
from okapia.client.images import Image, read_picture
from okapia.client.jobs import Jobs
from okapia.client.options import DEFAULTS, Field, Options
from okapia.client.pages import rows
from okapia.client.reading import read, read_rows
from okapia.client.reference import Country, Model, Species, Usage
from okapia.client.retrying import Retrying, Timing
from okapia.client.webhooks import Webhooks

Profile = Literal["wild", "urban"]
"""Which of the server's two sets of models answers; urban is for scenes shaped by people."""

_SUFFIX: dict[Profile, str] = {"wild": "", "urban": "-urban"}
_KEYS = ("OKAPIA_API_KEY", "ANIMAL_DETECT_API_KEY")


class Okapia:
    """A server that speaks Animal Detect's contract, Okapia's own extensions included. Threads may share it.

    Every call is tried again where that may help, with one idempotency key, so that it is done and charged
    once. What does not help raises `okapia.client.ApiError`.

    Attributes:
        batches: any number of pictures that the server reads by itself.
        jobs: pictures that are analysed when there is time.
        webhooks: where the server tells of what it has seen.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout_s: float = 60,
        max_retries: int = 4,
        patience_s: float = 180,
        transport: httpx.BaseTransport | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Remember how to call; nothing is sent yet.

        Args:
            base_url: up to, and without, the `/v1` of the contract.
            api_key: from OKAPIA_API_KEY or ANIMAL_DETECT_API_KEY when it is not given; a server on this
                machine may need none.
            timeout_s: seconds that the server may be silent in one attempt.
            max_retries: attempts after the first.
            patience_s: seconds from the first attempt after which no further one begins.
            transport: httpx's way to the server, for proxies and certificates of your own.
            timing: where time and chance come from.

        Raises:
            ValueError: `base_url` is no plain http(s) URL, or the key holds what no key does.
        """
        key = api_key or next((os.environ[name] for name in _KEYS if os.environ.get(name)), None)
        retrying = Retrying(max_retries, patience_s, timing or Timing())
        self._connection = Connection(
            base_url, api_key=key, timeout_s=timeout_s, retrying=retrying, transport=transport
        )
        self.batches = BatchRuns(self._connection)
        self.jobs = Jobs(self._connection)
        self.webhooks = Webhooks(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Okapia({self._connection.base_url!r})"

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()

    # --- pictures -----------------------------------------------------------------------

    def detect(
        self,
        image: Image,
        options: Options = DEFAULTS,
        *,
        profile: Profile = "wild",
        idempotency_key: str | None = None,
    ) -> DetectAnswer:
        """Find the animals, people and vehicles of a picture and name the species.

        Args:
            idempotency_key: of your own, for a program that may start again before it has the answer.
        """
        path = at(f"detect{_SUFFIX[profile]}")
        return read(DetectAnswer, self._post_one(path, image, options.fields(), idempotency_key))

    def filter(
        self,
        image: Image,
        options: Options = DEFAULTS,
        *,
        profile: Profile = "wild",
        idempotency_key: str | None = None,
    ) -> FilterAnswer:
        """Find the animals, people and vehicles of a picture, without species."""
        path = at(f"filter{_SUFFIX[profile]}")
        return read(FilterAnswer, self._post_one(path, image, options.fields(), idempotency_key))

    def detect_url(
        self, url: str, options: Options = DEFAULTS, *, idempotency_key: str | None = None
    ) -> DetectAnswer:
        """Do as `detect` does with a picture that the server fetches, where its operator lets it."""
        asked = {"url": url, **options.fields()}
        reply = self._connection.post(at("detect-url"), asked, idempotency_key=idempotency_key)
        return read(DetectAnswer, reply.document)

    def batch_detect(
        self, images: Iterable[Image], options: Options = DEFAULTS, *, profile: Profile = "wild"
    ) -> Iterator[DetectItem]:
        """Do as `detect` does with any number of pictures; gives an item for each, in their order.

        They are read and sent, up to ten and 10 MB at a time, as the items are asked for. One that cannot be
        decoded has an `error` in place of its answer, and costs nothing.
        """
        call = BatchCall(self._connection, at(f"batch-detect{_SUFFIX[profile]}"), DetectItem, options)
        return call.items(images)

    def batch_filter(
        self, images: Iterable[Image], options: Options = DEFAULTS, *, profile: Profile = "wild"
    ) -> Iterator[FilterItem]:
        """Do as `filter` does with any number of pictures, as `batch_detect` does."""
        call = BatchCall(self._connection, at(f"batch-filter{_SUFFIX[profile]}"), FilterItem, options)
        return call.items(images)

    def scan_text(self, image: Image, *, idempotency_key: str | None = None) -> ScannedText:
        """Read what the camera printed into a picture."""
        return read(ScannedText, self._post_one(at("scan-image-text"), image, {}, idempotency_key))

    def scan_text_url(self, url: str, *, idempotency_key: str | None = None) -> ScannedText:
        """Do as `scan_text` does with a picture that the server fetches, where its operator lets it."""
        path = at("scan-image-text-url")
        return read(
            ScannedText, self._connection.post(path, {"url": url}, idempotency_key=idempotency_key).document
        )

    def _post_one(
        self, path: str, image: Image, form: dict[str, Field], idempotency_key: str | None
    ) -> object:
        return self._connection.post_pictures(
            path, [read_picture(image)], part="image", form=form, idempotency_key=idempotency_key
        ).document

    # --- answers of before --------------------------------------------------------------

    def result(self, answer_id: str) -> SavedAnswer:
        """Give an answer again, until it expires or is deleted."""
        return read(SavedAnswer, self._connection.get(at("detect", answer_id)).document)

    def delete_result(self, answer_id: str) -> None:
        """Have the server forget an answer."""
        self._connection.delete(at("detect", answer_id))

    # --- what there is ------------------------------------------------------------------

    def species(
        self,
        search: str | None = None,
        *,
        country: str | None = None,
        rank: str | None = None,
        order: str | None = None,
        family: str | None = None,
        genus: str | None = None,
    ) -> Iterator[Species]:
        """Give the taxa that the server can name: species, or those of another `rank`."""
        query = {
            "search": search,
            "country": country,
            "rank": rank,
            "order": order,
            "family": family,
            "genus": genus,
        }
        return rows(self._connection, at("species"), Species, key="species", query=query)

    def taxon(self, taxon_id: str) -> Species:
        """Give one taxon, with the countries where it may be the answer."""
        return read(Species, self._connection.get(at("species", taxon_id)).document)

    def countries(self) -> Iterator[Country]:
        """Give the countries."""
        return rows(self._connection, at("countries"), Country, key="countries", query={})

    def country_species(self, code: str) -> Iterator[Species]:
        """Give the species that may be the answer in a country, by its ISO 3166 alpha-3 code."""
        return rows(self._connection, at("countries", code, "species"), Species, key="species", query={})

    def models(self) -> tuple[Model, ...]:
        """Give the models that the server knows."""
        return read_rows(Model, self._connection.get(at("models")).document, "models")

    def usage(self) -> Usage:
        """Say what the account has used and has left."""
        return read(Usage, self._connection.get(at("usage")).document)
