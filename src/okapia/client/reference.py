"""The answers that are not about pictures: taxa, countries, models, and what an account has left."""

from dataclasses import dataclass
from datetime import datetime

from okapia.client.answers import Ranks
from okapia.client.reading import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Species(Answer):
    """A taxon of a list.

    Attributes:
        id: SpeciesNet's.
        countries: ISO 3166 alpha-3 codes of where it may be the answer; only `taxon` gives them.
    """

    id: str
    common_name: str
    scientific_name: str
    taxonomy: Ranks
    rank: str | None = None
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Country(Answer):
    """A country by its ISO 3166 codes; `admin1_supported` where ranges know its states."""

    code: str
    name: str
    cca2: str | None = None
    admin1_supported: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Answer):
    """A model that the server knows, and how it runs there when it is loaded."""

    id: str
    title: str | None = None
    task: str | None = None
    version: str | None = None
    licence: str | None = None
    installed: bool | None = None
    loaded: bool | None = None
    device: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits(Answer):
    """What was used and is left, in pictures.

    Attributes:
        unlimited: the account is never refused, and its totals are a number without meaning.
    """

    included_total: int
    included_used: int
    included_remaining: int
    top_up_balance: int
    grace_limit: int
    grace_used: int
    grace_remaining: int
    total_available: int
    unlimited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing(Answer):
    """The plan and its period."""

    plan_code: str | None = None
    status: str | None = None
    billing_interval: str | None = None
    data_policy: str | None = None
    scheduled_plan_code: str | None = None
    scheduled_billing_interval: str | None = None
    scheduled_change_at: datetime | None = None
    current_period_end: datetime | None = None
    grace_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests(Answer):
    """Calls since midnight and since the first of the month, in UTC."""

    today: int
    this_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(Answer):
    """Calls a minute, and how many of them are left; without meaning where they are `unlimited`."""

    limit: int
    remaining: int
    reset_at: datetime | None = None
    unlimited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Answer):
    """What the account has used and has left."""

    credits: Credits
    billing: Billing
    requests: Requests
    rate_limit: RateLimit | None = None
    user_id: str | None = None
