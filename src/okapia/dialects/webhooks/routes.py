"""The routes."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.webhooks.bodies import (
    DeliveryList,
    NewWebhook,
    ShownDelivery,
    ShownRecord,
    Webhook,
    WebhookChange,
    Webhooks,
    WebhookWithSecret,
)
from okapia.domain.callers import Scope
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker, visit_of

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=64)]


def build(context: Context) -> APIRouter:
    """Make `/v1/webhooks` and everything below it."""
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=door(context, problem_json))
    _add_endpoints(router, context)
    _add_deliveries(router, context)
    return router


def _add_endpoints(router: APIRouter, context: Context) -> None:
    webhooks, species = context.desk.webhooks, context.service.species

    @router.post("", status_code=HTTPStatus.CREATED)
    @needs(Scope.WEBHOOKS)
    def create_webhook(
        body: NewWebhook, request: Request, response: Response, caller: Asker
    ) -> WebhookWithSecret:
        """Have events sent to a URL. The secret, by which payloads are verified, is shown only here."""
        response.headers["Cache-Control"] = "no-store"
        wanted = body.subscription(species)
        endpoint, secret = webhooks.add(caller, wanted, request_id=visit_of(request).request_id)
        return WebhookWithSecret.of_new(endpoint, secret)

    @router.get("")
    @needs(Scope.WEBHOOKS)
    def list_webhooks(caller: Asker) -> Webhooks:
        """List the account's webhooks, oldest first."""
        return Webhooks(webhooks=[Webhook.of(endpoint) for endpoint in webhooks.all(caller)])

    @router.get("/{webhook_id}")
    @needs(Scope.WEBHOOKS)
    def show_webhook(webhook_id: str, caller: Asker) -> Webhook:
        """Show a webhook, without its secret."""
        return Webhook.of(webhooks.get(caller, webhook_id))

    @router.patch("/{webhook_id}")
    @needs(Scope.WEBHOOKS)
    def change_webhook(webhook_id: str, body: WebhookChange, request: Request, caller: Asker) -> Webhook:
        """Change a webhook, or switch it off or on again."""
        change, request_id = body.change(species), visit_of(request).request_id
        return Webhook.of(webhooks.change(caller, webhook_id, change, request_id=request_id))

    @router.delete("/{webhook_id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Scope.WEBHOOKS)
    def delete_webhook(webhook_id: str, request: Request, caller: Asker) -> None:
        """Delete a webhook and the log of what was sent to it."""
        webhooks.remove(caller, webhook_id, request_id=visit_of(request).request_id)

    @router.post("/{webhook_id}/rotate")
    @needs(Scope.WEBHOOKS)
    def rotate_secret(
        webhook_id: str, request: Request, response: Response, caller: Asker
    ) -> WebhookWithSecret:
        """Give a webhook a new secret, shown only here; for 24 hours payloads are signed with both."""
        response.headers["Cache-Control"] = "no-store"
        rotated = webhooks.rotate(caller, webhook_id, request_id=visit_of(request).request_id)
        return WebhookWithSecret.of_new(*rotated)


def _add_deliveries(router: APIRouter, context: Context) -> None:
    log = context.desk.delivery_log

    @router.post("/{webhook_id}/test", status_code=HTTPStatus.ACCEPTED)
    @needs(Scope.WEBHOOKS)
    def test_webhook(webhook_id: str, caller: Asker) -> ShownDelivery:
        """Send the event `webhook.test`; what comes of it is in the log."""
        return ShownDelivery.of(log.test(caller, webhook_id))

    @router.get("/{webhook_id}/deliveries")
    @needs(Scope.WEBHOOKS)
    def list_deliveries(
        webhook_id: str, response: Response, caller: Asker, limit: Limit = 50, cursor: Cursor = None
    ) -> DeliveryList:
        """List what was sent to a webhook in the last 30 days, newest first."""
        page = log.page(caller, webhook_id, cursor=cursor, limit=limit)
        if page.next_cursor is not None:
            following = f"/v1/webhooks/{webhook_id}/deliveries?cursor={page.next_cursor}&limit={limit}"
            response.headers["Link"] = f'<{following}>; rel="next"'
        shown = [ShownDelivery.of(delivery) for delivery in page.deliveries]
        return DeliveryList(deliveries=shown, next_cursor=page.next_cursor)

    @router.get("/{webhook_id}/deliveries/{delivery_id}")
    @needs(Scope.WEBHOOKS)
    def show_delivery(webhook_id: str, delivery_id: str, caller: Asker) -> ShownRecord:
        """Show what was sent, and every attempt."""
        return ShownRecord.of_record(log.record(caller, webhook_id, delivery_id))

    @router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=HTTPStatus.ACCEPTED)
    @needs(Scope.WEBHOOKS)
    def replay_delivery(webhook_id: str, delivery_id: str, caller: Asker) -> ShownDelivery:
        """Send a delivery that has ended once more, under the same `webhook-id`."""
        return ShownDelivery.of(log.replay(caller, webhook_id, delivery_id))
