"""What ``/openapi.json`` says: the endpoints in OpenAPI 3.1, for programs and for those who write them."""

from typing import Any

_Schema = dict[str, Any]


def openapi(version: str, *, max_bytes: int) -> dict[str, Any]:
    """The document. A test holds each answer of the app against it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "birds serve",
            "version": version,
            "summary": "Says which bird is on a picture, or that it is unsure.",
            "description": "Pictures are looked at in memory and forgotten. Nothing about a sender is kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/identify": {"post": _identify(max_bytes)},
            "/model": {"get": _get("model", "What the model knows and how good it is.", "Model")},
            "/health": {"get": _get("health", "Whether the server answers.", "Health")},
            "/example/{index}.jpg": {"get": _example()},
        },
        "components": {"schemas": _SCHEMAS},
    }


def _identify(max_bytes: int) -> dict[str, Any]:
    limit = f"At most {max_bytes / 1e6:g} MB."
    whole = {"type": "string", "format": "binary"}
    form = _object(picture={"type": "string", "format": "binary", "description": limit})
    refused = {
        "400": "No picture in the request, several, or a damaged form.",
        "403": "Another site's page sent it.",
        "408": "It did not arrive in time.",
        "411": "Its length was not said.",
        "413": f"It is too large. {limit}",
        "415": "It is no picture of a format that is read.",
        "421": "The Host header does not name this server.",
        "422": "It cannot be decoded, or has too many or too few pixels.",
    }
    later = {"429": "Too many pictures came from this address.", "503": "Too many are being looked at."}
    return {
        "operationId": "identify",
        "summary": "Which bird is on a picture.",
        "requestBody": {
            "required": True,
            "description": limit,
            "content": {
                "multipart/form-data": {"schema": form},
                "image/*": {"schema": whole},
                "application/octet-stream": {"schema": whole},
            },
        },
        "responses": {
            "200": _json("The most probable classes.", "Answer"),
            **{status: _json(text, "Refused") for status, text in refused.items()},
            **{status: {**_json(text, "Refused"), "headers": _RETRY_AFTER} for status, text in later.items()},
        },
    }


def _get(name: str, summary: str, schema: str) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": {"200": _json(summary, schema)}}


def _example() -> dict[str, Any]:
    index = {"name": "index", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    return {
        "operationId": "example",
        "summary": "A picture of a class, where there is one. Show the attribution that /model gives with it.",
        "parameters": [index],
        "responses": {
            "200": {"description": "A small JPEG.", "content": {"image/jpeg": {}}},
            "404": _json("This class has none.", "Refused"),
        },
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _object(**properties: Any) -> _Schema:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _or_null(schema: _Schema) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list_of(schema: _Schema) -> _Schema:
    return {"type": "array", "items": schema}


_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_TEXT = {"type": "string"}
_ADDRESS = {"type": "string", "format": "uri"}
_COUNT = {"type": "integer", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_EXAMPLE = {"$ref": "#/components/schemas/Example"}
_CLASS = {"label": _TEXT, "scientific_name": _or_null(_TEXT), "example": _or_null(_EXAMPLE)}
_SCHEMAS = {
    "Answer": _object(
        label={**_TEXT, "description": "The most probable class, also where the model is unsure."},
        confidence={**_SHARE, "description": "Calibrated: of answers with 0.8, about 80% are right on such pictures."},
        unsure={"type": "boolean", "description": "The confidence is below the model's threshold."},
        top={**_list_of(_object(**_CLASS, confidence=_SHARE)), "minItems": 1},
        picture=_object(format=_TEXT, width=_COUNT, height=_COUNT),
        seconds={"type": "number", "minimum": 0},
    ),
    "Example": _object(
        picture={**_TEXT, "description": "Where it can be had here."},
        attribution={**_TEXT, "description": "To be shown with the picture."},
        licence=_TEXT,
        title=_or_null(_TEXT),
        author=_or_null(_TEXT),
        licence_url=_or_null(_ADDRESS),
        page_url=_or_null(_ADDRESS),
    ),
    "Model": _object(
        classes=_list_of(_object(**_CLASS)),
        architecture=_TEXT,
        abstain_threshold=_SHARE,
        test=_or_null(
            _object(
                n=_COUNT,
                accuracy=_SHARE,
                accuracy_interval=_or_null({**_list_of(_SHARE), "minItems": 2, "maxItems": 2}),
                reviewed_share=_or_null(_SHARE),
            )
        ),
        limits=_object(
            max_bytes=_COUNT, max_pixels=_COUNT, min_side=_COUNT, per_minute=_or_null({"type": "number", "minimum": 0})
        ),
        formats=_list_of(_TEXT),
        birds=_TEXT,
    ),
    "Health": _object(status={"const": "ok"}),
    "Refused": _object(error=_object(reason=_TEXT, message=_TEXT, hint=_TEXT)),
}
