"""Lists of addresses as people have them: text, CSV of several dialects, and what is wrong with some."""

import unicodedata
from pathlib import Path

import pytest
from birds.errors import SourceError, UsageError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy
from birds.scrape.url_list import UrlList, parse
from hypothesis import given
from hypothesis import strategies as st

TABLE = """label,url,licence,author,page_url,title
cigüeña,https://a.example/1.jpg,CC BY-SA 4.0,Ana,https://a.example/p,"A stork, white"
garza,https://a.example/2.jpg,,,,
"""


@pytest.fixture
def listed(tmp_path: Path):
    def write(content: str | bytes, name: str = "birds.csv") -> UrlList:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return UrlList(path)

    return write


def urls(source: UrlList, label: str) -> list[str]:
    return [one.url for one in source.search(label, 10)]


def test_a_text_list_gives_every_url_whatever_the_label(listed) -> None:
    source = listed(
        "# my birds\n\nhttps://a.example/1.jpg\r\n  http://a.example/2.jpg#part \nhttps://a.example/1.jpg\n",
        "birds.txt",
    )
    assert (
        urls(source, "cigüeña") == urls(source, "garza") == ["https://a.example/1.jpg", "http://a.example/2.jpg#part"]
    )
    assert (source.labels(), source.skipped) == ([], 0)
    assert {one.strategy for one in source.search("garza", 10)} == {"list"}


def test_a_table_gives_the_rows_of_a_label_with_what_they_say(listed) -> None:
    source = listed(TABLE)
    assert source.labels() == ["cigüeña", "garza"]
    (stork,) = source.search("cigüeña", 10)
    assert (stork.url, stork.page_url) == ("https://a.example/1.jpg", "https://a.example/p")
    assert (stork.author, stork.title, stork.licence) == ("Ana", "A stork, white", "cc-by-sa-4.0")
    assert stork.licence_url == "https://creativecommons.org/licenses/by-sa/4.0/"
    (heron,) = source.search("garza", 10)
    assert (heron.author, heron.title, heron.licence, heron.licence_url, heron.page_url) == (None,) * 5


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_byte_order_marks_and_capitals_make_no_difference(
    listed, separator: str, encoding: str, newline: str
) -> None:
    rows = [["Label", " URL ", "LICENSE"], ["cigüeña", "https://a.example/1.jpg?a,b;c", "by"], ["", "", ""]]
    text = newline.join(separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    source = listed(text.encode(encoding))
    assert source.labels() == ["cigüeña"]
    (found,) = source.search("cigüeña", 10)
    assert (found.url, found.licence) == ("https://a.example/1.jpg?a,b;c", "cc-by")


def test_any_spelling_of_a_label_finds_its_rows(listed) -> None:
    decomposed = unicodedata.normalize("NFD", "cigüeña")
    spellings = ["cigüeña", decomposed, "CIGUENA", "white stork", "Ciconia ciconia"]
    source = listed("url,label\n" + "".join(f"https://a.example/{n}.jpg,{one}\n" for n, one in enumerate(spellings)))
    assert source.labels() == ["cigüeña"]
    for spelling in spellings:
        assert len(urls(source, spelling)) == len(spellings)


def test_a_label_that_birds_does_not_know_is_found_too(listed) -> None:
    source = listed("url,label\nhttps://a.example/1.jpg,Blue Dodo\nhttps://a.example/2.jpg,blue-dodo\n")
    assert source.labels() == ["Blue Dodo"]
    assert len(urls(source, "blue dodo")) == 2


def test_where_a_table_has_two_addresses_the_page_is_not_taken_for_the_picture(listed) -> None:
    source = listed("url,image_url\nhttps://inat.example/observations/1,https://a.example/1.jpg\n")
    (found,) = source.search("garza", 10)
    assert (found.url, found.page_url) == ("https://a.example/1.jpg", "https://inat.example/observations/1")


def test_a_licence_given_by_its_deed_keeps_the_deed(listed) -> None:
    deed = "https://creativecommons.org/licenses/by-nc/2.0/es/"
    (found,) = listed(f"url,licence\nhttps://a.example/1.jpg,{deed}\n").search("garza", 10)
    assert (found.licence, found.licence_url) == ("cc-by-nc-2.0-es", deed)


def test_lines_without_a_web_address_are_skipped_and_counted(listed) -> None:
    text = listed(
        "https://a.example/1.jpg\nfile:///etc/passwd\nnot a url\nhttp://\nhttp://[bad\nftp://a.example/2.jpg\n", "a.txt"
    )
    assert (urls(text, "garza"), text.skipped) == (["https://a.example/1.jpg"], 5)
    table = listed(
        "url,label,page_url\nfile:///etc/passwd,garza,\nhttps://a.example/1.jpg,garza,javascript:alert(1)\n,,\n"
        "https://a.example/2.jpg,,\nhttps://a.example/3.jpg,../../x,\nhttps://a.example/4.jpg\n"
    )
    (heron,) = table.search("garza", 10)
    assert (heron.url, heron.page_url) == ("https://a.example/1.jpg", None)
    assert (table.labels(), table.skipped) == (["garza"], 4)


def test_a_table_is_known_by_its_header_where_the_name_does_not_say(listed) -> None:
    assert listed(TABLE, "birds.txt").labels() == ["cigüeña", "garza"]


def test_a_label_without_rows_is_no_result_and_says_what_there_is(listed) -> None:
    with pytest.raises(SourceError, match="garza") as stopped:
        list(listed(TABLE).search("milano negro", 10))
    assert stopped.value.cause is Cause.NO_RESULTS
    with pytest.raises(SourceError, match="skipped: 1"):
        list(listed("file:///etc/passwd\n", "a.txt").search("garza", 10))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"label,picture\ngarza,https://a.example/1.jpg\n", "a.csv", "no column of URLs"),
        (b"", "a.csv", "no column of URLs"),
        (b'url\n"' + b"x" * 200_000, "a.csv", "no column of URLs"),
        ("url\nhttps://a.example/ñ.jpg\n".encode("utf-16"), "a.csv", "not UTF-8"),
        (b"\xff\xd8\xff\xe0 a picture", "a.txt", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_says_so(listed, content: bytes, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as stopped:
        listed(content, name)
    assert stopped.value.hint


def test_a_missing_file_or_a_folder_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, Path("~no-such-user-here/list.txt")):
        with pytest.raises(UsageError, match="cannot be read"):
            UrlList(path)


def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.txt").write_text("https://a.example/1.jpg")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert urls(UrlList(Path("~/list.txt")), "garza") == ["https://a.example/1.jpg"]


def test_it_is_asked_by_label_and_can_show_licences() -> None:
    assert (UrlList.name, UrlList.asks_by, UrlList.shows_licences) == ("urls", AsksBy.LABEL, True)


@given(st.text(), st.booleans())
def test_no_text_makes_the_parser_raise_or_pass_on_what_is_no_web_address(text: str, is_table: bool) -> None:
    for candidate_text in (text, f"url,label\n{text}"):
        read = parse(candidate_text, is_table=is_table)
        if read:
            found = [one for label in [*read.candidates.labels(), "garza"] for one in read.candidates.of(label)]
            assert all(one.url.lower().startswith(("http://", "https://")) for one in found)
