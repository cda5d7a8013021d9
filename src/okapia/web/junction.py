"""Where one path has two contracts, and the sender tells which of them is meant."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from okapia.accounts.tokens import is_token
from okapia.web.peek import peek_form
from okapia.web.visit import bearer

GATEWAY_FIELD = "file"
"""In which clients of gateways send their picture."""


class Junction:
    """Sends calls of gateways' clients to where their contract is whole; all others pass."""

    def __init__(self, app: ASGIApp, *, forks: Mapping[tuple[str, str], str], max_s: float) -> None:
        """Turn off at `forks`: by method and path, the path that clients of gateways mean."""
        self._app = app
        self._forks = forks
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        other = self._forks.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if other is not None:
            request = Request(scope, receive)
            is_gateway, receive = await self._look(request)
            if is_gateway:
                scope = {**scope, "path": other, "raw_path": other.encode()}
        await self._app(scope, receive, send)

    async def _look(self, request: Request) -> tuple[bool, Receive]:
        credential = bearer(request)
        if credential is not None and is_token(credential):
            return True, request.receive
        start, receive = await peek_form(request, max_s=self._max_s)
        return start.file_field == GATEWAY_FIELD, receive
