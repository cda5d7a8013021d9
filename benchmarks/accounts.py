"""What accounts add to a call, in CPU time: the key, the rate, the hold and its closing.

    python benchmarks/accounts.py

On a SQLite file, one transaction a step as in the server, each step on its own and all of them after each
other; once on the plan without end, once on one that counts. Paid calls do not wait for the disk; "synced" is
what they would cost if they did. Goal: 1.5 ms a call.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median

from harness import write
from sqlalchemy import Connection

from okapia.accounts.audit import Audit
from okapia.accounts.credentials import Credentials
from okapia.accounts.keys import ApiKeys
from okapia.accounts.ledger import Hold, Ledger
from okapia.accounts.limits import RateLimits
from okapia.accounts.plans import MAX_CREDITS, parse_plans
from okapia.accounts.recount import check
from okapia.accounts.users import Users
from okapia.accounts.windows import open_windows
from okapia.database.opening import open_database
from okapia.domain.callers import Bucket, Caller, Rates, Role
from okapia.models.tuning import machine_name

PLANS = parse_plans({"counted": {"included": MAX_CREDITS}})
RATES = Rates(inference=10**9)  # counted, and never reached
Step = Callable[[], None]


class Desk:
    """One caller, and what the server does for each of their calls before and after the pictures."""

    def __init__(self, home: Path, plan: str) -> None:
        self.database = open_database(home, "")
        self.ledger = Ledger(plans=PLANS, instance_id="benchmark")
        self.credentials = Credentials(plans=PLANS)
        self.rates = RateLimits(open_windows())
        self.open: list[Hold] = []
        self.numbers = count()
        self.key = self._add_caller(plan)
        self.caller = self._verified()

    def _add_caller(self, plan: str) -> str:
        users = Users(ledger=self.ledger, audit=Audit())
        with self.database.write() as connection:
            ada = users.add(connection, "ada", role=Role.USER, plan=plan, password_hash=None, actor="")
            keys = ApiKeys(audit=Audit())
            return keys.mint(connection, ada, name="key", scopes=None, rates=RATES, actor="").text

    def _verified(self) -> Caller:
        with self.database.read() as connection:
            return self.credentials.of_key(connection, self.key)

    def verify(self) -> None:
        self._verified()

    def admit(self) -> None:
        self.rates.admit(self.caller, Bucket.INFERENCE)

    def hold(self) -> None:
        with self.database.write_soon() as connection:
            self._hold(connection)

    def close(self) -> None:
        with self.database.write_soon() as connection:
            self.ledger.close(connection, self.open.pop(), done=1)

    def call(self) -> None:
        self.verify()
        self.admit()
        self.hold()
        self.close()

    def synced_call(self) -> None:
        self.verify()
        self.admit()
        with self.database.write() as connection:
            self._hold(connection)
        with self.database.write() as connection:
            self.ledger.close(connection, self.open.pop(), done=1)

    def _hold(self, connection: Connection) -> None:
        caller, reference = self.caller, f"call:{next(self.numbers):032x}"
        self.open.append(
            self.ledger.hold(connection, caller.user_id, images=1, reference=reference, key_id=caller.key_id)
        )

    @property
    def steps(self) -> dict[str, Step]:
        """In this order: what `hold` opens, `close` closes."""
        return {
            "empty loop": lambda: None,
            "verify the key": self.verify,
            "count the call": self.admit,
            "hold": self.hold,
            "close": self.close,
            "a whole call": self.call,
            "the same, synced": self.synced_call,
        }


def one_round(desk: Desk, calls: int) -> Iterator[tuple[str, float]]:
    """CPU and system time of each step, microseconds."""
    for name, step in desk.steps.items():
        began = time.process_time()
        for _ in range(calls):
            step()
        yield name, (time.process_time() - began) * 1e6 / calls


def measure(plan: str, *, calls: int, rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), plan)
        dict(one_round(desk, calls))  # a first turn warms caches and is left out
        turns = [dict(one_round(desk, calls)) for _ in range(rounds)]
        with desk.database.read() as connection:
            assert check(connection) == []
        desk.database.close()
    return {name: [turn[name] for turn in turns] for name in turns[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rows = {
        plan: measure(plan, calls=options.calls, rounds=options.rounds) for plan in ("unlimited", "counted")
    }
    print(f"\naccounts: {options.rounds} rounds of {options.calls} calls on {machine_name()}")
    print(f"{'CPU us a call':16}  {'median':>7}  {'lowest':>7}  {'highest':>7}")
    for plan, steps in rows.items():
        for name, turns in steps.items():
            print(f"{plan:10} {name:16}  {median(turns):7.1f}  {min(turns):7.1f}  {max(turns):7.1f}")
    write("accounts", {"rows": rows})


if __name__ == "__main__":
    main()
