"""What the routes do for their callers, in terms of Okapia's batches; all of it blocks on the database."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from fastapi.exceptions import HTTPException

from okapia.dialects.microsoft_batch.answering import (
    LAST,
    Age,
    Status,
    file_name,
    shown,
    status_of,
    title_of,
)
from okapia.dialects.microsoft_batch.asking import NAME, DetectionRequest
from okapia.dialects.microsoft_batch.versions import Versions
from okapia.domain.callers import LOCAL_USER_ID, Caller
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.formats.base import Json
from okapia.service.batches import Overview
from okapia.web.context import Context

OUTPUT = f"{LAST.prefix}/output/{{id}}/{{title}}/{{name}}"
"""Path of a file of results, which is signed."""

LINKS_LAST_S = 180 * 24 * 3600
"""Where the server gives the files out itself; a cloud may allow less. Every look at a task signs anew."""

_NOT_LISTED = (
    "Parameter caller is not supplied or is not on our allowlist; expected your name, or that of your key."
)
_UNKNOWN = "Task is not found."
_NO_ID = "request_id is a required field."
_CANCELABLE = frozenset({Status.CREATED, Status.RUNNING, Status.PROBLEM})


class Tasks:
    """Takes tasks, tells of them and cancels them."""

    def __init__(self, context: Context) -> None:
        self._desk = context.desk
        self._versions = Versions(context)
        self._threshold = context.threshold

    def request(self, caller: Caller, body: Mapping[str, object]) -> str:
        """Take a task; gives its id.

        Raises:
            HTTPException: 401, it does not name its caller.
            InvalidRequest: a parameter is wrong; and what else `Batches.create` raises.
        """
        self._check_named(caller, body.get("caller"))
        new = DetectionRequest.of(body).new_batch(self._versions, threshold=self._threshold)
        return self._desk.batches.create(caller, new).id

    def status(self, caller: Caller, task_id: str, age: Age, *, base_url: str) -> dict[str, Json]:
        """Give the answer of `/task`; raises `NotFound`."""
        overview = self._find(caller, task_id)
        links = self._desk.batches.links(
            caller,
            overview.batch.id,
            base_url=base_url,
            path=OUTPUT.replace("{title}", title_of(overview)),
            expires_in_s=LINKS_LAST_S,
        )
        return shown(overview, links, age)

    def cancel(self, caller: Caller, body: Mapping[str, object]) -> None:
        """End a task.

        Raises:
            HTTPException: 401, it does not name its caller.
            InvalidRequest: it does not name the task, or the task has ended.
            NotFound: there is no such task.
        """
        task_id = body.get("request_id")
        if task_id is None:
            raise InvalidRequest(_NO_ID, param="request_id")
        self._check_named(caller, body.get("caller"))
        overview = self._find(caller, str(task_id))
        status = status_of(overview.batch)
        if status not in _CANCELABLE:
            raise InvalidRequest(f"Task has {status.value} and cannot be canceled", param="request_id")
        self._desk.batches.cancel(caller, overview.batch.id)

    def output(self, task_id: str, title: str, name: str, *, query: str) -> tuple[str, int, Iterator[bytes]]:
        """Give a file of results: Microsoft's name for it, its size, its bytes; as `Batches.open_output`."""
        path = OUTPUT.format(id=task_id, title=title, name=name)
        file, chunks = self._desk.batches.open_output(task_id, name, path=path, query=query)
        return file_name(file, task_id=task_id, title=title), file.n_bytes, chunks

    def _find(self, caller: Caller, task_id: str) -> Overview:
        # Zooniverse writes the ids with dashes.
        try:
            overview = self._desk.batches.get(caller, task_id.replace("-", ""))
        except NotFound:
            raise NotFound(_UNKNOWN) from None
        if overview.request.dialect != NAME:
            raise NotFound(_UNKNOWN)
        return overview

    def _check_named(self, caller: Caller, named: object) -> None:
        """Let a call pass whose `caller` is who has its key, or what the key is called.

        On a server without users there is no list, and any name will do.
        """
        if not isinstance(named, str) or not named or named not in self._names(caller, named):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, _NOT_LISTED)

    def _names(self, caller: Caller, named: str) -> set[str]:
        if caller.user_id == LOCAL_USER_ID:
            return {named}
        keys = self._desk.keys.all(caller)
        return {caller.name, *(key.name for key in keys if key.id == caller.key_id)}
