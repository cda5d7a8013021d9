"""The rules of one account: periods, the order in which credits are drawn, grace. Pure; `ledger` keeps it.

Everything that changes an account gives the account as it is afterwards and the entries that lead there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from okapia.accounts.periods import Period, period_at
from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Entry, Pool, Pools, expired, granted, held, refunded
from okapia.domain.callers import Plan
from okapia.domain.refusals import CreditsSpent

Changed = tuple["Account", list[Entry]]


@dataclass(frozen=True, slots=True)
class Account:
    """What an account has left in one period.

    Attributes:
        grace_ends_at: None until grace credits are needed, which opens them, once a period.
    """

    plan: Plan
    period: Period
    grace_ends_at: datetime | None
    left: Pools

    @classmethod
    def opened(cls, plan: Plan, now: datetime) -> Changed:
        """Begin an account. Its first entry is there even for 0 credits: its time is the opening's."""
        account = cls(plan, period_at(now, now), None, Pools(plan.included or 0))
        reference = account.period_reference
        return account, [granted(Pool.INCLUDED, account.left.included, reference=reference)]

    @property
    def is_unlimited(self) -> bool:
        return self.plan.included is None

    @property
    def available(self) -> int:
        """Credits that could be spent now; `MAX_CREDITS` on a plan without end."""
        if self.is_unlimited:
            return MAX_CREDITS
        grace_to_open = self.plan.grace if self.grace_ends_at is None else 0
        return min(self.left.total + grace_to_open, MAX_CREDITS)

    @property
    def period_reference(self) -> str:
        return self.period.starts_at.isoformat()

    def at(self, now: datetime) -> Changed:
        """Take away grace credits whose days are over."""
        if self.grace_ends_at is None or now < self.grace_ends_at or not self.left.grace:
            return self, []
        lost = Pools(grace=self.left.grace)
        return replace(self, left=self.left - lost), expired(lost, reference=self.period_reference)

    def renewed(self, period: Period) -> Changed:
        """Begin another period: what the old one included is lost, top-up credits stay."""
        lost = replace(self.left, top_up=0)
        entries = expired(lost, reference=self.period_reference)
        included = self.plan.included or 0
        new = Account(self.plan, period, None, Pools(included, self.left.top_up))
        if included:
            entries.append(granted(Pool.INCLUDED, included, reference=new.period_reference))
        return new, entries

    def on_plan(self, plan: Plan, *, included_before: int) -> Changed:
        """Change the plan: a larger one gives the difference at once, a smaller one less in the next period.

        Args:
            included_before: credits that were granted as included in this period.
        """
        more = max(0, (plan.included or 0) - included_before)
        if not more:
            return replace(self, plan=plan), []
        # Grows with every such grant, which makes the reference one of a kind.
        reference = f"{self.period_reference} after {included_before}"
        account = replace(self, plan=plan, left=self.left + Pools(included=more))
        return account, [granted(Pool.INCLUDED, more, reference=reference)]

    def topped_up(self, amount: int, *, reference: str, note: str) -> Changed:
        left = self.left + Pools(top_up=amount)
        return replace(self, left=left), [granted(Pool.TOP_UP, amount, reference=reference, note=note)]

    def draw(self, amount: int, *, reference: str, now: datetime) -> tuple["Account", Pools, list[Entry]]:
        """Take credits out; gives from which pools, too.

        Raises:
            CreditsSpent: there are fewer.
        """
        if self.is_unlimited:
            taken = Pools(unlimited=amount)
            return self, taken, held(taken, reference=reference)
        if amount > self.available:
            raise CreditsSpent(needed=amount, available=self.available)
        account, entries = (self, []) if amount <= self.left.total else self._with_grace(now)
        taken = account.left.first(amount)
        return replace(account, left=account.left - taken), taken, entries + held(taken, reference=reference)

    def give_back(self, amounts: Pools, *, reference: str, since: datetime, now: datetime) -> Changed:
        """Put credits back where they came from; those that have expired meanwhile are lost at once.

        Args:
            since: start of the period in which they were drawn.
        """
        entries = refunded(amounts, reference=reference)
        lost = self._out_of_date(amounts, since=since, now=now)
        back = replace(amounts, unlimited=0) - lost
        return replace(self, left=self.left + back), entries + expired(lost, reference=reference)

    def _with_grace(self, now: datetime) -> Changed:
        ends_at = min(now + timedelta(days=self.plan.grace_days), self.period.ends_at)
        left = self.left + Pools(grace=self.plan.grace)
        entry = granted(Pool.GRACE, self.plan.grace, reference=self.period_reference)
        return replace(self, grace_ends_at=ends_at, left=left), [entry]

    def _out_of_date(self, amounts: Pools, *, since: datetime, now: datetime) -> Pools:
        if since != self.period.starts_at:
            return Pools(included=amounts.included, grace=amounts.grace)
        has_grace = self.grace_ends_at is not None and now < self.grace_ends_at
        return Pools() if has_grace else Pools(grace=amounts.grace)


@dataclass(frozen=True, slots=True)
class Balance:
    """An account as its owner sees it.

    Attributes:
        included_total: credits that the plan gave for this period.
        grace_limit: credits that may be spent when all others are.
    """

    user_id: str
    account: Account
    included_total: int
    grace_limit: int

    @property
    def included_used(self) -> int:
        """Included credits that are spent or held."""
        return self.included_total - self.account.left.included

    @property
    def grace_used(self) -> int:
        """Grace credits that are spent, held, or lost because their days are over."""
        return 0 if self.account.grace_ends_at is None else self.grace_limit - self.account.left.grace

    @property
    def grace_remaining(self) -> int:
        return self.grace_limit - self.grace_used
