"""How the API describes itself: for programs as OpenAPI, for people as a page without a script."""

import json
import re
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape
from pydantic import TypeAdapter
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from dixa_state.questions import shapes
from dixa_state.questions.search import OPERATORS
from dixa_state.web.edge import WEBHOOKS

Schema = dict[str, Any]

_EXAMPLES: Schema = json.loads(files("dixa_state.web").joinpath("examples.json").read_text("utf-8"))
"""An answer of each shape; made by `scripts/docs`."""

router = APIRouter(include_in_schema=False)


def describe(app: FastAPI, *, guarded: bool) -> None:
    """Let the description tell of all that is asked for and answered, and of nothing else.

    `guarded` is whether reading takes a token.
    """
    make = app.openapi

    def openapi() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _ours(make(), guarded=guarded)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/static", StaticFiles(packages=[("dixa_state.web", "static")]))


def _ours(made: Schema, *, guarded: bool) -> Schema:
    """Change what FastAPI has made: wrong values are 400 here, and definitions stand together."""
    schemas = made["components"]["schemas"]
    for path in made["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            if not guarded:
                operation.pop("security", None)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas.update(content["schema"].pop("$defs", {}))
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Outcome"] = TypeAdapter(shapes.Outcome).json_schema()
    for name, example in _EXAMPLES.items():
        schemas[name]["examples"] = [example]
    made["paths"] = {WEBHOOKS: {"post": _receiving()}, **made["paths"]}
    return made


def _receiving() -> Schema:
    """Describe the receiver, which FastAPI does not know."""
    refusals = {
        "400": "The body broke off.",
        "401": "Not signed by Dixa with a secret that is set.",
        "408": "The body did not come in time.",
        "413": "The body is larger than `DIXA_STATE_MAX_BODY`.",
        "415": "The body is compressed, or not declared as JSON.",
        "503": "It cannot be stored now; see `Retry-After`.",
    }
    return {
        "tags": ["webhooks"],
        "summary": "Receive",
        "description": "Keep one webhook; 200 means that it is on disk, as an event or in "
        "quarantine.",
        "operationId": "receive",
        "parameters": [
            _header(
                "X-Dixa-Signature", "`t=<milliseconds>,v1=<hex>`; needed unless unsigned is ok."
            ),
            _header("X-Dixa-Subscription-Id", "Narrows down whose secret is tried."),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {}, "example": _WEBHOOK}},
        },
        "responses": {
            "200": _answer("What became of it.", "Outcome"),
            **{status: _answer(told, "Error") for status, told in refusals.items()},
        },
    }


def _header(name: str, told: str) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": told,
        "schema": {"type": "string"},
    }


def _answer(told: str, schema: str) -> Schema:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": told, "content": {"application/json": content}}


_WEBHOOK = {
    "event_id": "4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10",
    "event_fqn": "CONVERSATION_CLOSED",
    "event_version": "1",
    "event_timestamp": "2026-03-02T09:40:00.000Z",
    "organization": {"id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11", "name": "Aurora"},
    "data": {"conversation": {"csid": 70431, "channel": "EMAIL", "status": "CLOSED"}},
}


@router.get("/")
async def home() -> Response:
    """Lead people to what they can ask."""
    return RedirectResponse("/docs", 303)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show the description to people."""
    page = _templates.get_template("docs.html").render(
        api=request.app.openapi(), operators=OPERATORS
    )
    return Response(page, media_type="text/html")


def _takes(schema: Schema) -> str:
    """Say in a few words what a parameter takes."""
    if "anyOf" in schema:
        return " or ".join(_takes(one) for one in schema["anyOf"] if one != {"type": "null"})
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"{_takes(schema['items'])}; several times for one of them"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f" from {low} to {high}" if low is not None and high is not None else ""
    kind = "time" if schema.get("format") == "date-time" else schema.get("type", "text")
    return f"{_WORDS.get(kind, kind)}{bounds}"


_WORDS = {"string": "text", "integer": "number", "boolean": "true or false"}


def _examples(operation: Schema) -> list[Any]:
    """Give the examples of an operation's body."""
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return [
        example
        for content in contents
        for example in content.get("schema", {}).get("examples", []) or [content.get("example")]
    ]


def _sample(operation: Schema, schemas: Schema) -> Schema | None:
    """Give an answer as it may look: of a list one item."""
    content = operation["responses"]["200"].get("content", {}).get("application/json", {})
    shape = _named(content.get("schema", {}), schemas)
    listed = "data" in shape.get("properties", {})
    if listed:
        shape = _named(shape["properties"]["data"]["items"], schemas)
    examples = shape.get("examples", [])
    if not examples:
        return None
    return {"data": examples, "meta": _META} if listed else examples[0]


def _named(schema: Schema, schemas: Schema) -> Schema:
    found: Schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found


_META = {"next": "/v1/…?pageKey=…", "position": 45, "as_of": None}


def _prose(text: str | None) -> Markup:
    """Show the code in a description as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704


_templates = Environment(
    loader=PackageLoader("dixa_state.web"),
    autoescape=select_autoescape(default=True),
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "takes": _takes,
    "examples": _examples,
    "prose": _prose,
    "sample": _sample,
}
