import unicodedata

import pytest
from birds import species
from birds.errors import UsageError
from hypothesis import given
from hypothesis import strategies as st

BIRDS8 = ("alimoche", "buitre leonado", "cacatúa", "cigüeña", "garza", "loro", "milano negro", "periquito")


def test_the_eight_species_of_the_notebook_are_known() -> None:
    assert set(BIRDS8) <= {one.label for one in species.known()}


def test_there_are_many_species_each_complete() -> None:
    assert len(species.known()) >= 48
    for one in species.known():
        assert one.label
        assert one.english
        assert one.scientific[0].isupper()
        assert one.query


def test_labels_are_folder_names_in_nfc_and_differ_by_more_than_accents() -> None:
    labels = [one.label for one in species.known()]
    assert len({species.fold(label) for label in labels}) == len(labels)
    assert [species.clean_label(label) for label in labels] == labels
    assert all(unicodedata.is_normalized("NFC", label) for label in labels)


def test_english_and_scientific_names_point_to_one_species_each() -> None:
    for kind in ("english", "scientific", "query"):
        names = [species.fold(getattr(one, kind)) for one in species.known()]
        assert len(set(names)) == len(names)


@given(
    one=st.sampled_from(species.known()),
    kind=st.sampled_from(["label", "english", "scientific"]),
    form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    is_bare=st.booleans(),
    separator=st.sampled_from([" ", "-", "_", "  "]),
    data=st.data(),
)
def test_any_spelling_finds_its_species(
    *, one: species.Species, kind: str, form: str, is_bare: bool, separator: str, data: st.DataObject
) -> None:
    name: str = getattr(one, kind)
    if is_bare:
        name = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    name = "".join(c.upper() if up else c for c, up in zip(name, upper, strict=True))
    name = unicodedata.normalize(form, name.replace(" ", separator))
    assert species.find(f" {name} ") == one


@pytest.mark.parametrize(
    ("typed", "label"),
    [("CIGUENA", "cigüeña"), ("cigu\u0308en\u0303a", "cigüeña"), ("White Stork", "cigüeña"), ("milano_negro",
     "milano negro"),
     ("ciconia ciconia", "cigüeña"), ("white stork bird", "cigüeña")],
)  # fmt: skip
def test_spellings_people_type(typed: str, label: str) -> None:
    found = species.find(typed)
    assert found is not None
    assert found.label == label


@pytest.mark.parametrize("name", ["", " ", "dodo", "cigüeñas y garzas", "../cigüeña"])
def test_other_names_find_nothing(name: str) -> None:
    assert species.find(name) is None


@pytest.mark.parametrize(
    ("typed", "label"), [("ciguenia", "cigüeña"), ("white storck", "cigüeña"), ("perikito", "periquito")]
)
def test_a_slip_of_the_pen_finds_what_was_meant(typed: str, label: str) -> None:
    assert species.nearest(typed)[0] == label


def test_the_nearest_names_are_few_and_different() -> None:
    near = species.nearest("aguila")
    assert 1 <= len(near) <= 3
    assert len(set(near)) == len(near)
    assert len(species.nearest("milano", n=1)) == 1
    assert species.nearest("xyzzy") == []


@given(st.text())
def test_folding_twice_changes_nothing_more(name: str) -> None:
    assert species.fold(species.fold(name)) == species.fold(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../../x", "a/b", "a\\b", "/etc/passwd", ".hidden", "loro.", "lo\nro\x00", "lo\x1bro",
     "C:", "a|b",
     "lo\u202ero", "lo\u200bro", "x" * 121, "ñ" * 61],
)  # fmt: skip
def test_what_is_no_folder_name_is_no_label(name: str) -> None:
    with pytest.raises(UsageError):
        species.clean_label(name)


@pytest.mark.parametrize(
    ("typed", "label"),
    [("cigu\u0308en\u0303a", "cigüeña"), ("  milano   negro ", "milano negro"), ("St. Peter's fish-owl",
     "St. Peter's fish-owl"),
     ("シマエナガ", "シマエナガ"), ("x" * 120, "x" * 120)],
)  # fmt: skip
def test_names_in_any_language_make_labels(typed: str, label: str) -> None:
    assert species.clean_label(typed) == label


@given(st.text())
def test_a_label_is_one_folder_below_another_or_refused(name: str) -> None:
    try:
        label = species.clean_label(name)
    except UsageError:
        return
    assert label == label.strip()
    assert unicodedata.is_normalized("NFC", label)
    assert not set(label) & set("/\\\0")
    assert label.strip(".")
    assert len(label.encode()) <= 120
    assert species.clean_label(label) == label
