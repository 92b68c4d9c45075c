import pytest
from birds.licences import WANTED, credit, fits, licence_code, licence_name, licence_url
from hypothesis import given
from hypothesis import strategies as st

ELEMENTS = ("by", "by-nc", "by-sa", "by-nd", "by-nc-sa", "by-nc-nd")
VERSIONED = [f"cc-{elements}-{version}" for elements in ELEMENTS for version in ("1.0", "2.0", "2.5", "3.0", "4.0")]
CODES = [
    *VERSIONED,
    *(f"cc-{elements}" for elements in ELEMENTS),
    "cc-by-nd-nc-1.0",
    "cc-by-sa-3.0-de",
    "cc-by-3.0-igo",
    "cc0-1.0",
    "pdm-1.0",
    "public-domain",
]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # as iNaturalist, Openverse, Commons and GBIF write them
        ("cc-by-nc", "cc-by-nc"),
        ("cc0", "cc0-1.0"),
        ("by-sa", "cc-by-sa"),
        ("by", "cc-by"),
        ("pdm", "pdm-1.0"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("CC BY-SA 3.0 de", "cc-by-sa-3.0-de"),
        ("CC BY-SA 3.0-2.5-2.0-1.0", "cc-by-sa-3.0"),
        ("Public domain", "public-domain"),
        ("pd", "public-domain"),
        ("CC BY-NC-ND", "cc-by-nc-nd"),
        ("CC_BY_NC_4_0", "cc-by-nc-4.0"),
        ("CC0_1_0", "cc0-1.0"),
        # in full
        ("Creative Commons Attribution-Share Alike 3.0 de", "cc-by-sa-3.0-de"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International License", "cc-by-nc-nd-4.0"),
        ("Creative Commons Attribution 3.0 Unported", "cc-by-3.0"),
        ("Attribution-NonCommercial-ShareAlike License", "cc-by-nc-sa"),
        ("Attribution 2.0 Generic", "cc-by-2.0"),
        ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "cc0-1.0"),
        ("Creative Commons Zero", "cc0-1.0"),
        ("Public Domain Mark 1.0", "pdm-1.0"),
        ("  cc by 4  ", "cc-by-4.0"),
        # deeds
        ("http://creativecommons.org/licenses/by/4.0/legalcode", "cc-by-4.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0", "cc-by-sa-4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "cc-by-sa-3.0-de"),
        ("https://creativecommons.org/licenses/by/4.0/deed.es", "cc-by-4.0"),
        ("//creativecommons.org/licenses/by-nc/2.0/", "cc-by-nc-2.0"),
        ("www.creativecommons.org/licenses/by/", "cc-by"),
        ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "cc0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0"),
        ("https://creativecommons.org/licenses/publicdomain/", "public-domain"),
    ],
)
def test_a_licence_is_read_however_it_is_written(text: str, code: str) -> None:
    assert licence_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "All rights reserved",
        "© Jane Doe, all rights reserved",
        "Attribution",  # Commons' name for terms of somebody's own
        "Copyrighted free use",
        "GFDL",
        "No restrictions",
        "CC",
        "CC BY (NC)",
        "CC BY-SA 4.0 or all rights reserved",
        "not CC BY 4.0",
        "https://creativecommons.org/licenses/sampling+/1.0/",
        "https://creativecommons.org/licenses/sampling/1.0/",
        "https://creativecommons.org/about/",
        "https://evil.example/creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org.evil.example/licenses/by/4.0/",
        "https://rightsstatements.org/vocab/InC/1.0/",
        "by " * 1000,
    ],
)
def test_what_is_not_surely_an_open_licence_has_no_code(text: str | None) -> None:
    assert licence_code(text) is None


@given(st.text())
def test_any_text_has_a_code_that_reads_as_itself_or_none(text: str) -> None:
    code = licence_code(text)
    assert code is None or licence_code(code) == code


@pytest.mark.parametrize("code", CODES)
def test_a_code_reads_as_itself_by_code_name_and_deed(code: str) -> None:
    assert licence_code(code) == code
    assert licence_code(licence_name(code)) == code
    url = licence_url(code)
    assert url is None or licence_code(url) == code


@pytest.mark.parametrize("code", [*VERSIONED, "cc0-1.0", "pdm-1.0"])
def test_every_licence_of_a_known_version_has_a_deed(code: str) -> None:
    assert (licence_url(code) or "").startswith("https://creativecommons.org/")


@pytest.mark.parametrize("code", ["cc-by", "public-domain", "nonsense"])
def test_no_deed_is_made_up(code: str) -> None:
    assert licence_url(code) is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("cc-by-nc-sa-3.0", "CC BY-NC-SA 3.0"),
        ("cc-by-sa-3.0-de", "CC BY-SA 3.0 de"),
        ("cc0-1.0", "CC0 1.0"),
        ("pdm-1.0", "Public Domain Mark 1.0"),
        ("public-domain", "public domain"),
    ],
)
def test_a_code_is_shown_as_people_write_it(code: str, name: str) -> None:
    assert licence_name(code) == name


def test_a_credit_names_author_licence_and_where_it_was_found() -> None:
    assert credit("Ada", "cc-by-4.0", "Wikimedia Commons") == "Ada, CC BY 4.0, via Wikimedia Commons"
    assert credit(None, None, "GBIF") == "Unknown author, via GBIF"


@pytest.mark.parametrize("code", [*CODES, None])
def test_anything_fits_who_wants_any(code: str | None) -> None:
    assert fits(code, "any")


@pytest.mark.parametrize("code", CODES)
def test_every_known_licence_is_open_and_commercial_unless_nc(code: str) -> None:
    assert fits(code, "open")
    assert fits(code, "commercial") == ("-nc" not in code)


@pytest.mark.parametrize("wanted", [one for one in WANTED if one != "any"])
def test_no_licence_fits_nobody_who_wants_one(wanted: str) -> None:
    assert not fits(None, wanted)


def test_an_unknown_wish_is_an_error() -> None:
    with pytest.raises(ValueError, match="noncommercial"):
        fits("cc-by-4.0", "noncommercial")
