"""Okapia's own routes for webhooks: endpoints, what was sent to them, and sending it again."""

from datetime import datetime, time
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Scope
from okapia.domain.types import Category
from okapia.service import Species
from okapia.service.webhooks import (
    EVERY_EVENT,
    Change,
    Delivery,
    DeliveryRecord,
    DetectionFilter,
    Endpoint,
    EventType,
    Hours,
    Subscription,
    named_taxon,
)
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker, visit_of
