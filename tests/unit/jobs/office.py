"""Everything about jobs on a real database and a real folder, one process or several."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from okapia.accounts.ledger import Ledger
from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.database.tables import billing, credit_entries, open_holds
from okapia.domain.callers import Caller, Plan, Role, Scope
from okapia.domain.errors import SourceUnavailable
from okapia.jobs.job import Job, Operation, Performed
from okapia.service.job_desk import JobDesk, JobOptions
from okapia.service.jobs import NewJob
from okapia.storage.folder_blobs import FolderBlobs
from tests.unit.jobs.drafts import Watch, add_people

TEN = Plan("ten", included=10, has_ocr=False)
PLANS = {TEN.name: TEN}
PICTURE = b"\xff\xd8 a picture of a fox"
FOX = b'{"annotations":[{"label":"red fox"}]}'

Perform = Callable[[Job, bytes], Performed]


class Office:
    """Takes jobs of `ada` and `ben`, who may spend ten credits each.

    Attributes:
        web: pictures by URL; other URLs lead nowhere.
    """

    def __init__(self, database: Database, folder: Path, watch: Watch) -> None:
        add_people(database)
        self.database = database
        self.watch = watch
        self.blobs = FolderBlobs(folder / "blobs")
        self.web: dict[str, bytes] = {}
        self._folder = folder
        self.instance = Instance(database)
        self.desk = self.process(self.instance)
        ledger = Ledger(plans=PLANS, instance_id=self.instance.id, clock=watch)
        with database.write() as connection:
            for name in ("ada", "ben"):
                ledger.open_account(connection, name, plan=TEN.name)

    def process(self, instance: Instance, *, workers: int = 1, max_bytes: int = 1000) -> JobDesk:
        """Another process on the same database and folder."""
        options = JobOptions(home=self._folder, fetch=self._fetch, max_bytes=max_bytes, workers=workers)
        return JobDesk(
            self.database,
            options,
            instance_id=instance.id,
            blobs=self.blobs,
            plans=PLANS,
            clock=self.watch,
        )

    def create(self, caller: Caller | None = None, *, source_url: str | None = None) -> Job:
        return self.desk.jobs.create(caller or ADA, wanted(source_url=source_url))

    def upload(self, job: Job, picture: bytes = PICTURE) -> None:
        path = f"/v1/uploads/{job.id}"
        signed = self.desk.jobs.invite(job, base_url="http://okapia.test", path=path)
        query = signed.url.partition("?")[2]
        self.desk.jobs.receive(job.id, [picture], path=path, query=query, content_type="image/jpeg")

    def submitted(self, caller: Caller | None = None, picture: bytes = PICTURE) -> Job:
        """A job in the queue."""
        job = self.create(caller)
        self.upload(job, picture)
        return self.desk.jobs.submit(caller or ADA, job.id)

    def run_all(self, perform: Perform) -> int:
        """Work off what is due, in this thread; gives how many jobs that were."""
        runner = self.desk.runner(perform)
        done = 0
        while runner.run_next():
            done += 1
        return done

    def get(self, job: Job) -> Job:
        return self.desk.jobs.get(caller_of(job.user_id), job.id)

    def stored(self) -> set[str]:
        """Give the keys of the pictures in the folder."""
        return set(self.blobs.keys(""))

    def booked(self, user_id: str = "ada") -> Counter[str]:
        """Give the images that were held, settled and refunded, from raw rows, and check the sums."""
        entries = credit_entries.c
        kinds = select(entries.kind, func.sum(entries.images)).where(entries.user_id == user_id)
        total = select(func.sum(entries.credits)).where(entries.user_id == user_id)
        holds = select(func.coalesce(func.sum(open_holds.c.images), 0)).where(open_holds.c.user_id == user_id)
        with self.database.read() as connection:
            images = Counter({kind: n for kind, n in connection.execute(kinds.group_by(entries.kind)) if n})
            left = connection.execute(select(billing).where(billing.c.user_id == user_id)).one()
            open_images = connection.execute(holds).scalar_one()
            assert connection.execute(total).scalar_one() == left.included + left.top_up + left.grace
        assert images["hold"] == images["settle"] + images["refund"] + open_images
        assert left.included == TEN.included - images["settle"] - open_images if TEN.included else True
        return images

    def _fetch(self, url: str) -> bytes:
        if url not in self.web:
            raise SourceUnavailable("expected status 200, the server answered 404")
        return self.web[url]


def caller_of(user_id: str, plan: Plan = TEN) -> Caller:
    return Caller(user_id, user_id, Role.USER, frozenset(Scope), plan)


ADA, BEN = caller_of("ada"), caller_of("ben")


def wanted(*, source_url: str | None = None, keeps_image: bool = False) -> NewJob:
    return NewJob(
        operation=Operation.DETECT,
        filename="fox.jpg",
        content_type="image/jpeg",
        options={"threshold": 0.2},
        source_url=source_url,
        keeps_image=keeps_image,
    )


def sees_a_fox(job: Job, picture: bytes) -> Performed:
    """Perform a job without any network."""
    assert picture
    assert job.options == {"threshold": 0.2}
    return Performed(FOX)


SECOND = timedelta(seconds=1)
