"""The OpenAPI document: what FastAPI writes, and what it cannot know: keys, errors, examples."""

from typing import Any

from fastapi import FastAPI

_PROBLEM_SCHEMA: dict[str, object] = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong (RFC 9457); match `code`, which never changes.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "error"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "error": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "code": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "request_id": {"type": "string"},
                "retryable": {"type": "boolean"},
            },
        },
        "errors": {
            "type": "array",
            "description": "All that is wrong, where it is more than one thing.",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "urn:okapia:problem:unknown_country",
            "title": "Bad Request",
            "status": 400,
            "detail": "expected a country as a code (TZ, TZA) or a name (Tanzania), got 'Tanzanai'; "
            "did you mean Tanzania?",
            "code": "unknown_country",
            "request_id": "5e8b0c7e-2d54-4a53-9a43-0d6c4a3b6a53",
            "error": {
                "type": "invalid_request_error",
                "code": "unknown_country",
                "message": "expected a country as a code (TZ, TZA) or a name (Tanzania), got 'Tanzanai'; "
                "did you mean Tanzania?",
                "param": "country",
                "request_id": "5e8b0c7e-2d54-4a53-9a43-0d6c4a3b6a53",
                "retryable": False,
            },
        }
    ],
}
_KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`okapia keys create`); programs on a server without users need none.",
}
_EVERYWHERE = {
    "400": "The request is wrong: `code` says how",
    "401": "No key, or none that is valid",
    "403": "The key lacks the scope",
    "429": "Too many calls in a minute: `Retry-After` says when",
    "503": "Not now: `Retry-After` says when",
}
_NATIVE = "/v1/"


class Application(FastAPI):
    """FastAPI with a document that says what our door does."""

    def openapi(self) -> dict[str, Any]:
        """Give the document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
            components["securitySchemes"] = {"apiKey": _KEY_SCHEME}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _correct(operation, is_native=path.startswith(_NATIVE))
        return self.openapi_schema or {}


def _correct(operation: dict[str, Any], *, is_native: bool) -> None:
    """Take out FastAPI's 422, which no route answers; name the errors of the native routes."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    if not is_native:
        return
    for status, description in _EVERYWHERE.items():
        is_open = not operation.get("security")
        if not (is_open and status in {"401", "403", "429"}):
            responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
            response["content"] = {"application/problem+json": schema}
