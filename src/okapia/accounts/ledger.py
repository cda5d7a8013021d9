"""The credits of all accounts: an append-only ledger in which every image is held, then settled or refunded.

A call holds credits before it begins and closes the hold when it has ended: what was done is kept, the rest
goes back. Each step is idempotent by the reference that its caller gives it. Every change locks the
account's row in `billing` first, which always holds the sums of the account's entries.

A hold's entries have the reference `REFERENCE#ATTEMPT`: after a hold was refunded in full, the next one
under the same reference is another attempt. Of all attempts at most one is ever settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from sqlalchemy import Connection, Row

from okapia.accounts import ledger_rows as rows
from okapia.accounts.account import Account, Balance, Changed
from okapia.accounts.ledger_rows import OpenHold
from okapia.accounts.periods import Period, period_at
from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Kind, Pool, Pools, settled
from okapia.domain.callers import Plan
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, InvalidSettings, NotFound

MAX_REFERENCE = 240
"""Characters of a reference; its column has room for the number of the attempt as well."""
MAX_NOTE = 255


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits that were taken for a call that has not ended.

    Attributes:
        is_paid: the reference was settled before: nothing was taken, and closing changes nothing.
        attempt: counted from 1; grows when a hold under this reference was refunded in full.
    """

    user_id: str
    reference: str
    images: int
    is_paid: bool
    attempt: int = 1

    @property
    def entry_reference(self) -> str:
        """The reference of its entries in the ledger."""
        return f"{self.reference}#{self.attempt}"


class Ledger:
    """Moves credits, each time in the transaction of its caller.

    Every method raises `NotFound` for a user without an account, and `InvalidSettings` for an account on a
    plan that is not among `plans` any more.
    """

    def __init__(self, *, plans: Mapping[str, Plan], instance_id: str, clock: Clock = utc_now) -> None:
        """Remember the plans by name, and the process in whose name credits are held."""
        self._plans = plans
        self._instance_id = instance_id
        self._clock = clock

    def open_account(self, connection: Connection, user_id: str, *, plan: str) -> None:
        """Give a user an account, unless there is one. Raises `InvalidRequest` for an unknown plan."""
        chosen, now = self._known_plan(plan), self._clock()
        if rows.find_account(connection, user_id) is not None:
            return
        account, entries = Account.opened(chosen, now)
        rows.add_account(connection, user_id, account)
        rows.add_entries(connection, user_id, entries, at=now)

    def change_plan(self, connection: Connection, user_id: str, *, plan: str) -> Balance:
        """Put an account on another plan, from now on. Raises `InvalidRequest` for an unknown plan."""
        chosen, now = self._known_plan(plan), self._clock()
        account = self._locked(connection, user_id, now)
        before = rows.granted_since(connection, user_id, account.period.starts_at).get(Pool.INCLUDED, 0)
        changed = account.on_plan(chosen, included_before=before)
        self._change(connection, user_id, account, changed, now=now)
        return self.balance(connection, user_id)

    def grant(
        self, connection: Connection, user_id: str, *, amount: int, reference: str, note: str = ""
    ) -> Balance:
        """Add top-up credits, which do not expire; once for each reference.

        Raises:
            InvalidRequest: they are fewer than 1 or more than an account holds, a text is too long,
                or the reference was used for another amount.
        """
        if amount < 1:
            raise InvalidRequest(f"expected at least 1 credit, got {amount}", param="credits")
        if len(note) > MAX_NOTE:
            raise InvalidRequest(f"expected a note of at most {MAX_NOTE} characters", param="note")
        _check_reference(reference)
        now = self._clock()
        account = self._locked(connection, user_id, now)
        entries = rows.entries_of(connection, user_id, reference)
        before = [e.credits for e in entries if e.kind is Kind.GRANT and e.pool is Pool.TOP_UP]
        if before and before != [amount]:
            raise InvalidRequest(
                f"the reference {reference!r} was used for {before[0]} credits, got {amount}",
                param="reference",
            )
        if account.left.top_up + amount > MAX_CREDITS:
            raise InvalidRequest(f"at most {MAX_CREDITS} top-up credits fit in an account", param="credits")
        if not before:
            changed = account.topped_up(amount, reference=reference, note=note)
            self._change(connection, user_id, account, changed, now=now)
        return self.balance(connection, user_id)

    def balance(self, connection: Connection, user_id: str) -> Balance:
        """Say what an account has; changes nothing, so that a reading transaction is enough."""
        stored = self._account(user_id, rows.find_account(connection, user_id))
        account, _ = self._up_to_date(connection, user_id, stored, self._clock())
        if account.period == stored.period:
            granted = rows.granted_since(connection, user_id, account.period.starts_at)
        else:
            granted = {Pool.INCLUDED: account.left.included}
        grace = granted.get(Pool.GRACE, account.plan.grace)
        return Balance(user_id, account, included_total=granted.get(Pool.INCLUDED, 0), grace_limit=grace)

    def hold(
        self, connection: Connection, user_id: str, *, images: int, reference: str, key_id: str | None = None
    ) -> Hold:
        """Take the credits of a call before it begins, one an image.

        Under a reference that is held already gives that hold, as it is, which this process takes over;
        under one that was settled, a paid hold.

        Raises:
            CreditsSpent: the account has fewer; nothing was taken.
            InvalidRequest: the reference is too long.
        """
        if images < 1:
            raise ValueError(f"expected at least 1 image, got {images}")
        _check_reference(reference)
        now = self._clock()
        account = self._locked(connection, user_id, now)
        hold, is_open = _last_attempt(connection, user_id, reference, images)
        if is_open:
            rows.take_over_hold(connection, user_id, hold.entry_reference, instance_id=self._instance_id)
        if is_open or hold.is_paid:
            return hold
        after, drawn, entries = account.draw(images, reference=hold.entry_reference, now=now)
        self._change(connection, user_id, account, (after, entries), now=now, key_id=key_id)
        open_hold = OpenHold(
            user_id=user_id,
            reference=hold.entry_reference,
            drawn=drawn,
            key_id=key_id,
            instance_id=self._instance_id,
            period_started_at=after.period.starts_at,
        )
        rows.add_hold(connection, open_hold, at=now)
        return hold

    def close(self, connection: Connection, hold: Hold, *, done: int) -> int:
        """Keep the credits of `done` images and give back the others; gives what the account could spend now.

        A hold that is paid, closed or released stays as it is.
        """
        if not 0 <= done <= hold.images:
            raise ValueError(f"expected 0 to {hold.images} images done, got {done}")
        now = self._clock()
        account = self._locked(connection, hold.user_id, now)
        if hold.is_paid:
            return account.available
        open_hold = rows.delete_hold(connection, hold.user_id, hold.entry_reference)
        if open_hold is None:
            return account.available
        return self._close(connection, account, open_hold, done=done, now=now).available

    def release(self, connection: Connection, instance_id: str) -> int:
        """Refund every hold that a dead process left open; gives how many."""
        now = self._clock()
        released = 0
        for user_id, reference in rows.holds_of(connection, instance_id):
            account = self._locked(connection, user_id, now)
            # A living process may have closed it or taken it over by now.
            open_hold = rows.delete_hold(connection, user_id, reference, instance_id=instance_id)
            if open_hold is not None:
                self._close(connection, account, open_hold, done=0, now=now)
                released += 1
        return released

    def _close(
        self, connection: Connection, account: Account, hold: OpenHold, *, done: int, now: datetime
    ) -> Account:
        charged = hold.drawn.first(done)
        after, refunds = account.give_back(
            hold.drawn - charged, reference=hold.reference, since=hold.period_started_at, now=now
        )
        entries = settled(charged, reference=hold.reference) + refunds
        self._change(connection, hold.user_id, account, (after, entries), now=now, key_id=hold.key_id)
        return after

    def _locked(self, connection: Connection, user_id: str, now: datetime) -> Account:
        """Give an account as it is now; nobody else changes it until the transaction ends."""
        stored = self._account(user_id, rows.lock_account(connection, user_id))
        changed = self._up_to_date(connection, user_id, stored, now)
        self._change(connection, user_id, stored, changed, now=now)
        return changed[0]

    def _account(self, user_id: str, row: Row[tuple[object, ...]] | None) -> Account:
        if row is None:
            raise NotFound(f"no account of a user {user_id!r}")
        plan = self._plans.get(row.plan)
        if plan is None:
            raise InvalidSettings(
                f"plans: an account is on the plan {row.plan!r}, which is not there any more"
            )
        period = Period(row.period_started_at, row.period_ends_at)
        return Account(plan, period, row.grace_expires_at, Pools(row.included, row.top_up, row.grace))

    def _up_to_date(self, connection: Connection, user_id: str, account: Account, now: datetime) -> Changed:
        """Begin the period that `now` is in and end grace: nothing happens to accounts between calls."""
        if (
            account.period.starts_at == account.period.ends_at
        ):  # the local user's, made by the first migration
            return Account.opened(account.plan, now)
        if now < account.period.ends_at:
            return account.at(now)
        return account.renewed(period_at(rows.opened_at(connection, user_id), now))

    def _change(
        self,
        connection: Connection,
        user_id: str,
        before: Account,
        changed: Changed,
        *,
        now: datetime,
        key_id: str | None = None,
    ) -> None:
        after, entries = changed
        rows.change_account(connection, user_id, before=before, after=after)
        rows.add_entries(connection, user_id, entries, at=now, key_id=key_id)

    def _known_plan(self, name: str) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            raise InvalidRequest(f"expected a plan of {', '.join(self._plans)}, got {name!r}", param="plan")
        return plan


def _check_reference(reference: str) -> None:
    if not 1 <= len(reference) <= MAX_REFERENCE:
        raise InvalidRequest(
            f"expected a reference of 1 to {MAX_REFERENCE} characters, got {len(reference)}",
            param="reference",
        )


def _last_attempt(connection: Connection, user_id: str, reference: str, images: int) -> tuple[Hold, bool]:
    """Give the attempt that is open or paid, or else the next one to make; and whether it is open."""
    for attempt in count(1):
        hold = Hold(user_id, reference, images, is_paid=False, attempt=attempt)
        entries = rows.entries_of(connection, user_id, hold.entry_reference)
        kinds = {entry.kind for entry in entries}
        if Kind.HOLD not in kinds:
            return hold, False
        hold = replace(hold, images=sum(e.images for e in entries if e.kind is Kind.HOLD))
        if Kind.SETTLE in kinds:
            return replace(hold, is_paid=True), False
        if Kind.REFUND not in kinds:
            return hold, True
    raise AssertionError  # pragma: no cover - attempts are counted without end
