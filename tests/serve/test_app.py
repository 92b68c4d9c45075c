"""What the endpoints answer."""

import io
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from birds.serve.limits import Limits
from birds.serve.openapi import openapi
from PIL import Image

Serving = Callable[..., Any]


def form(picture: bytes, name: str = "picture", boundary: str = "frame") -> tuple[bytes, str]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="a.jpg"\r\n\r\n'
    return head.encode() + picture + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def held_against(schema: str, value: Any) -> None:
    """Fail unless `value` is what the OpenAPI document says of `schema`."""
    document = openapi("1", max_bytes=1)
    wanted = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    jsonschema.Draft202012Validator(wanted).validate(value)


def test_a_picture_is_named_with_its_confidence(serving: Serving, red: bytes) -> None:
    with serving() as client:
        answer = client.identify(red)
    assert answer.status == 200
    said = answer.json()
    held_against("Answer", said)
    assert (said["label"], said["unsure"]) == ("cigüeña", False)
    assert said["confidence"] > 0.99
    assert said["top"][0]["label"] == "cigüeña"
    assert said["top"][0]["scientific_name"] == "Ciconia ciconia"
    assert sum(one["confidence"] for one in said["top"]) == pytest.approx(1, abs=1e-5)
    assert said["picture"] == {"format": "JPEG", "width": 96, "height": 80}


def test_below_the_threshold_the_answer_is_unsure(serving: Serving, grey: bytes) -> None:
    with serving() as client:
        said = client.identify(grey).json()
    assert said["unsure"]
    assert said["confidence"] == pytest.approx(1 / 3, abs=1e-3)


def test_a_form_and_a_plain_body_say_the_same(serving: Serving, red: bytes) -> None:
    body, content_type = form(red)
    with serving() as client:
        answers = [
            client.identify(red),
            client.identify(red, "application/octet-stream"),
            client.identify(red, "image/png"),  # what it is, is told from its bytes
            client.identify(body, content_type),
        ]
    assert [answer.status for answer in answers] == [200] * 4
    assert len({answer.json()["confidence"] for answer in answers}) == 1


def test_other_fields_of_a_form_are_read_past(serving: Serving, red: bytes) -> None:
    note = b'--frame\r\nContent-Disposition: form-data; name="note"\r\n\r\nseen at dawn\r\n'
    body, content_type = form(red)
    with serving() as client:
        assert client.identify(note + body, content_type).status == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "image/jpeg", 400, "no_picture"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "wrong_type"),
        (b"{}", "application/json", 415, "wrong_type"),
        (b"x", "", 415, "wrong_type"),
        (b"x", "multipart/form-data", 415, "wrong_type"),
        (b"no form", "multipart/form-data; boundary=frame", 400, "bad_form"),
        (form(b"x")[0][:-12], "multipart/form-data; boundary=frame", 400, "bad_form"),
        (form(b"x", "photo")[0], "multipart/form-data; boundary=frame", 400, "no_picture"),
        (form(b"")[0], "multipart/form-data; boundary=frame", 400, "no_picture"),
        (form(b"x")[0][:-11] + b"\r\n" + form(b"x")[0], "multipart/form-data; boundary=frame", 400, "bad_form"),
        (b"--f\r\n\r\n\r\n" * 50, "multipart/form-data; boundary=f", 400, "bad_form"),
        (b"x", f"multipart/form-data; boundary={'f' * 3000}", 400, "bad_form"),
        (b"%PDF-1.7", "image/jpeg", 415, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415, "not_an_image"),
    ],
)
def test_what_holds_no_picture_is_refused_with_a_reason(
    serving: Serving, body: bytes, content_type: str, status: int, reason: str
) -> None:
    with serving() as client:
        answer = client.identify(body, content_type)
    held_against("Refused", answer.json())
    assert (answer.status, answer.reason) == (status, reason)
    assert client.served.tally.refused == {reason: 1}


def test_pictures_that_cannot_be_used_are_refused_with_a_reason(
    serving: Serving, red: bytes, jpeg: Callable[..., bytes]
) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    with serving() as client:
        cut, small, huge = (
            client.identify(picture)
            for picture in (red[: len(red) // 2], jpeg(Image.new("RGB", (63, 200))), bomb.getvalue())
        )
    assert (cut.status, cut.reason) == (422, "unreadable")
    assert (small.status, small.reason) == (422, "too_small")
    assert (huge.status, huge.reason) == (422, "too_many_pixels")
    assert huge.json()["error"]["hint"]


def test_an_upload_over_the_limit_is_refused_before_it_is_read(serving: Serving, red: bytes) -> None:
    with serving(Limits(max_bytes=len(red), per_minute=0)) as client:
        assert client.identify(red).status == 200
        answer = client.identify(red + b"\0")
    assert (answer.status, answer.reason) == (413, "too_large")


def test_uploads_wait_for_memory_that_others_hold(serving: Serving, red: bytes) -> None:
    with serving(Limits(max_buffered_bytes=len(red) - 1, per_minute=0)) as client:
        answer = client.identify(red)
        assert (answer.status, answer.reason, answer.headers["Retry-After"]) == (503, "busy", "2")
    with serving(Limits(max_buffered_bytes=len(red), per_minute=0)) as client:
        for body in (red, b"no picture", red):  # what was held is given back, answered or refused
            assert client.identify(body).status != 503


def test_an_address_that_sends_too_many_is_told_when_to_come_back(serving: Serving, red: bytes) -> None:
    with serving(Limits(per_minute=2, burst=2)) as client:
        answers = [client.identify(red) for _ in range(3)]
        assert client.get("/health").status == 200
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].reason == "too_often"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30


def test_behind_a_trusted_proxy_clients_are_told_apart(serving: Serving, red: bytes) -> None:
    limits = Limits(per_minute=1, burst=1)
    with serving(limits, trusted=frozenset({"127.0.0.1"})) as client:
        some = [client.identify(red, X_Forwarded_For=f"6.6.6.6, 1.2.3.{i}") for i in (1, 2, 1)]
    assert [answer.status for answer in some] == [200, 200, 429]
    with serving(limits) as client:  # nobody may choose his address himself
        some = [client.identify(red, X_Forwarded_For=f"1.2.3.{i}") for i in (1, 2)]
    assert [answer.status for answer in some] == [200, 429]


def test_what_programs_read_holds_against_the_document(serving: Serving) -> None:
    with serving() as client:
        document = client.get("/openapi.json").json()
        model, health = client.get("/model").json(), client.get("/health").json()
    held_against("Model", model)
    held_against("Health", health)
    assert [one["label"] for one in model["classes"]] == ["cigüeña", "garza", "milano negro"]
    assert model["test"]["accuracy"] == 0.9
    assert document["openapi"].startswith("3.1")


def test_the_document_is_well_formed() -> None:
    document = openapi("1.0", max_bytes=10_000_000)
    assert document.keys() == {"openapi", "info", "servers", "paths", "components"}
    names = []
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        for method, operation in methods.items():
            assert method in {"get", "post"}
            names.append(operation["operationId"])
            assert operation["responses"].keys() >= {"200"}
            assert all(one["description"] for one in operation["responses"].values())
            declared = {one["name"] for one in operation.get("parameters", [])}
            assert all(name in declared for name in ("index",) if f"{{{name}}}" in path)
    assert len(names) == len(set(names))
    for reference in _references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for inner in value.values() for one in _references(inner)]
    return [one for inner in value for one in _references(inner)] if isinstance(value, list) else []


def test_each_path_of_the_document_is_served(serving: Serving) -> None:
    document = openapi("1", max_bytes=1)
    with serving() as client:
        for path, methods in document["paths"].items():
            for method in methods:
                answer = client.ask(method.upper(), path.replace("{index}", "0"))
                assert str(answer.status) in methods[method]["responses"]


def test_unknown_paths_and_methods_are_refused_as_json(serving: Serving) -> None:
    with serving() as client:
        nothing, wrong, deep = client.get("/admin"), client.get("/identify"), client.get("/static/..%2fapp.py")
        unknown = client.get("/example/99.jpg")
    assert (nothing.status, nothing.reason) == (404, "not_found")
    assert (wrong.status, wrong.reason, wrong.headers["Allow"]) == (405, "method_not_allowed", "POST")
    assert (deep.status, unknown.status) == (404, 404)
