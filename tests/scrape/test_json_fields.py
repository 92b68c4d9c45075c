import pytest
from birds.scrape.json_fields import json_object, link_at, number_at, object_at, objects, text_at


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "null", '"text"', "{", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_object_is_none(text: str) -> None:
    assert json_object(text) is None


def test_fields_of_another_kind_are_absent() -> None:
    owner = json_object('{"a": 5, "b": " x ", "c": [{"d": 1}, 2], "e": true, "f": "", "g": "javascript:x", "h": {}}')
    assert owner is not None
    assert [number_at(owner, key) for key in "abez"] == [5, None, None, None]
    assert [text_at(owner, key) for key in "abfz"] == [None, "x", None, None]
    assert objects(owner["c"]) == [{"d": 1}]
    assert objects(owner["b"]) == []
    assert (object_at(owner, "h"), object_at(owner, "a")) == ({}, {})
    assert link_at(owner, "g") is None


def test_half_a_surrogate_pair_does_not_reach_the_record() -> None:
    owner = json_object('{"half": "a\\ud83d", "whole": "\\ud83d\\udc26"}')
    assert owner is not None
    assert text_at(owner, "half") == "a?"
    assert text_at(owner, "whole") == "🐦"
