import json
from pathlib import Path
from typing import Any

import pytest
import requests
from birds.errors import SourceError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy, Candidate
from birds.scrape.commons import Commons, parse, plain_text
from birds.scrape.saved_pages import SavedPages

METADATA = {
    "Artist": '<a href="//commons.wikimedia.org/wiki/User:Ada" title="User:Ada">Ada &amp; Co.</a>',
    "LicenseShortName": "CC BY-SA 4.0",
    "LicenseUrl": "https://creativecommons.org/licenses/by-sa/4.0",
}


def _info(name: str, metadata: dict[str, str] = METADATA, **changes: Any) -> dict[str, Any]:
    return {
        "url": f"https://upload.example/{name}.jpg",
        "descriptionurl": f"https://commons.example/File:{name}.jpg",
        "width": 1600,
        "height": 1200,
        "mime": "image/jpeg",
        "thumburl": f"https://upload.example/thumb/{name}.jpg/1280px-{name}.jpg",
        "thumbwidth": 1280,
        "thumbheight": 960,
        "extmetadata": {key: {"value": value, "source": "commons-desc-page"} for key, value in metadata.items()},
        **changes,
    }


def _file(index: int, name: str, metadata: dict[str, str] = METADATA, **changes: Any) -> dict[str, Any]:
    return {"index": index, "ns": 6, "title": f"File:{name}.jpg", "imageinfo": [_info(name, metadata, **changes)]}


def _answer(*files: dict[str, Any], **further: Any) -> dict[str, Any]:
    pages = {str(1000 - file["index"]): {"pageid": 1000 - file["index"], **file} for file in files}
    return {"batchcomplete": "", "query": {"pages": pages}, **further}


def _parsed(*files: dict[str, Any]) -> tuple[Candidate, ...]:
    return parse(json.dumps(_answer(*files))).candidates


# -- reading


def test_a_file_has_all_that_its_use_asks_for() -> None:
    assert _parsed(_file(1, "Stork 1. flight")) == (
        Candidate(
            url="https://upload.example/Stork 1. flight.jpg",
            strategy="api",
            page_url="https://commons.example/File:Stork 1. flight.jpg",
            title="Stork 1. flight",
            author="Ada & Co.",
            licence="cc-by-sa-4.0",
            licence_url="https://creativecommons.org/licenses/by-sa/4.0",
            attribution="Ada & Co., CC BY-SA 4.0, via Wikimedia Commons",
            width=1600,
            height=1200,
        ),
    )


def test_files_come_by_rank_and_not_by_page_id() -> None:
    assert [one.title for one in _parsed(_file(3, "c"), _file(1, "a"), _file(2, "b"))] == ["a", "b", "c"]


@pytest.mark.parametrize("size", [{"width": 5000, "height": 3750}, {"width": 1600, "height": 2001}])
def test_of_a_large_file_the_rendering_is_fetched(size: dict[str, int]) -> None:
    (found,) = _parsed(_file(1, "a", **size))
    assert found.url == "https://upload.example/thumb/a.jpg/1280px-a.jpg"
    assert (found.width, found.height) == (1280, 960)


def test_of_a_large_file_without_a_rendering_the_original_is_fetched() -> None:
    (found,) = _parsed(_file(1, "a", width=5000, height=3750, thumburl=None))
    assert (found.url, found.width) == ("https://upload.example/a.jpg", 5000)


@pytest.mark.parametrize("mime", ["image/svg+xml", "application/pdf", "video/webm", "image/vnd.djvu"])
def test_what_is_no_bitmap_is_left_out(mime: str) -> None:
    assert not _parsed(_file(1, "a", mime=mime))


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ({"LicenseShortName": "Public domain"}, "public-domain"),
        ({"LicenseShortName": "CC BY 2.0"}, "cc-by-2.0"),
        ({"LicenseShortName": "GFDL", "LicenseUrl": "https://www.gnu.org/copyleft/fdl.html"}, None),
        ({"LicenseShortName": "Attribution"}, None),
        ({}, None),
    ],
)
def test_the_licence_is_what_is_shown(metadata: dict[str, str], licence: str | None) -> None:
    assert _parsed(_file(1, "a", metadata))[0].licence == licence


def test_the_credit_line_a_file_asks_for_is_kept() -> None:
    (found,) = _parsed(_file(1, "a", {**METADATA, "Attribution": "Photo: <b>Ada</b> / Commons"}))
    assert found.attribution == "Photo: Ada / Commons"


def test_what_leads_on_is_passed_through() -> None:
    further = {"gsroffset": 50, "continue": "gsroffset||"}
    following = parse(json.dumps(_answer(_file(1, "a"), **{"continue": further}))).following
    assert json.loads(following or "") == further
    assert parse(json.dumps(_answer(_file(1, "a")))).following is None


def test_an_empty_answer_says_no_results() -> None:
    assert parse('{"batchcomplete": ""}').cause is Cause.NO_RESULTS


@pytest.mark.parametrize(
    ("code", "cause"), [("ratelimited", Cause.QUOTA), ("maxlag", Cause.QUOTA), ("badvalue", Cause.UNKNOWN_LAYOUT)]
)
def test_an_error_in_the_answer_has_its_cause(code: str, cause: Cause) -> None:
    assert parse(json.dumps({"error": {"code": code, "info": "No."}})).cause is cause


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"results": []}'])
def test_another_answer_is_an_unknown_layout(text: str) -> None:
    assert parse(text).cause is Cause.UNKNOWN_LAYOUT


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<bdi><a href='x'>Edvard Munch</a>\n</bdi>", "Edvard Munch"),
        ('Unknown author<span style="display: none;">Unknown author</span>', "Unknown author"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("5 < 6", "5 < 6"),
        ("<br>", None),
        (None, None),
    ],
)
def test_markup_is_brought_to_what_a_person_reads(markup: str | None, text: str | None) -> None:
    assert plain_text(markup) == text


# -- asking


def _source(api_server, session: requests.Session, **options: Any) -> Commons:
    return Commons(session, base_url=f"{api_server.url}/w/api.php", gap_s=0.0, **options)


def test_it_is_asked_by_scientific_name_and_shows_licences(api_server, session: requests.Session) -> None:
    source = _source(api_server, session)
    assert (source.name, source.asks_by, source.shows_licences) == ("commons", AsksBy.SCIENTIFIC_NAME, True)
    source.close()


def test_bitmaps_that_say_the_very_words_are_asked_for(api_server, session: requests.Session) -> None:
    api_server.route("/w/api.php", lambda _: _answer(_file(1, "a")))
    assert len(list(_source(api_server, session).search('Ciconia "ciconia', 10))) == 1
    (params,) = api_server.params("/w/api.php")
    assert params["gsrsearch"] == 'filetype:bitmap "Ciconia  ciconia"'
    assert (params["generator"], params["gsrnamespace"], params["gsrlimit"]) == ("search", "6", "17")
    assert (params["prop"], params["iiurlwidth"]) == ("imageinfo", "1280")
    assert {"url", "size", "mime", "extmetadata"} <= set(params["iiprop"].split("|"))


def test_pages_go_on_with_what_the_last_one_gave(api_server, session: requests.Session) -> None:
    further = {"gsroffset": 2, "continue": "gsroffset||"}
    first = _answer(_file(1, "a"), _file(2, "b"), **{"continue": further})
    api_server.in_turn("/w/api.php", first, _answer(_file(3, "c")))
    assert [one.title for one in _source(api_server, session).search("Ciconia ciconia", 10)] == ["a", "b", "c"]
    first_params, second_params = api_server.params("/w/api.php")
    assert second_params == {**first_params, "gsroffset": "2", "continue": "gsroffset||"}


def test_details_that_come_with_the_next_answer_are_waited_for(api_server, session: requests.Session) -> None:
    """MediaWiki sends the same files again where it could not tell everything about them at once."""
    bare = {key: value for key, value in _file(2, "b").items() if key != "imageinfo"}
    first = _answer(_file(1, "a"), bare, **{"continue": {"iistart": "x", "continue": "||"}})
    api_server.in_turn("/w/api.php", first, _answer(_file(1, "a"), _file(2, "b")))
    assert [one.title for one in _source(api_server, session).search("Ciconia ciconia", 10)] == ["a", "b"]


def test_a_page_instead_of_json_is_kept_and_said(api_server, session: requests.Session, tmp_path: Path) -> None:
    api_server.route("/w/api.php", lambda _: "<html>Down for maintenance</html>")
    with pytest.raises(SourceError) as caught:
        list(_source(api_server, session, saved=SavedPages(None, tmp_path)).search("Ciconia ciconia", 10))
    assert caught.value.cause is Cause.UNKNOWN_LAYOUT
    assert "maintenance" in (tmp_path / "commons-unreadable-page.json").read_text()


def test_nothing_found_is_said(api_server, session: requests.Session) -> None:
    api_server.route("/w/api.php", lambda _: {"batchcomplete": ""})
    with pytest.raises(SourceError, match="Ciconia") as caught:
        list(_source(api_server, session).search("Ciconia ciconia", 10))
    assert caught.value.cause is Cause.NO_RESULTS


# -- recorded answers


def test_a_recorded_page_gives_every_file_with_licence_and_attribution(real_data: Path) -> None:
    page = parse((real_data / "captures/commons/wmc_pretty1.json").read_text())
    assert page.cause is None
    assert [candidate.licence for candidate in page.candidates] == [
        "public-domain",
        "cc-by-sa-3.0-de",
        *["cc-by-sa-4.0"] * 5,
        "public-domain",
        "public-domain",
    ]
    volcano, street, munch = page.candidates[0], page.candidates[1], page.candidates[-1]
    assert volcano.url == "https://upload.wikimedia.org/wikipedia/commons/f/fb/Minchinmavida_Volcano.jpg"
    assert (volcano.width, volcano.height) == (1440, 1440)
    assert volcano.author == "The original uploader was Elvezio at Italian Wikipedia."
    assert street.attribution == "Photo: Eckhard Henkel / Wikimedia Commons / CC BY-SA 3.0 DE"
    assert street.licence_url == "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en"
    assert munch.attribution == "Edvard Munch, public domain, via Wikimedia Commons"
    assert json.loads(page.following or "")["continue"] == "||imageinfo"


def test_a_recorded_file_is_read_where_a_page_holds_it(real_data: Path) -> None:
    file = json.loads((real_data / "captures/commons/image_data_example.json").read_text())
    (found,) = parse(json.dumps({"query": {"pages": {"81754323": file}}})).candidates
    assert found.page_url == (
        "https://commons.wikimedia.org/wiki/File:20120925_PlozevetBretagne_LoneTree_DSC07971_PtrQs.jpg"
    )
    assert (found.author, found.licence, found.attribution) == ("PtrQs", "cc-by-sa-4.0", "Photo by PtrQs")
    assert (found.width, found.height) == (5514, 3102)
