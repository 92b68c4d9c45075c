"""CSV that a spreadsheet takes for text."""

import csv
import io

import pytest
from birds.tables import as_csv


@pytest.mark.parametrize("text", ["=1+1.jpg", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert list(csv.reader(io.StringIO(as_csv(["a"], [[text]]), newline=""))) == [["a"], [f"'{text}"]]


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    assert as_csv(["a", "b", "c"], [[-1.5, None, "cigüeña"]]) == "a,b,c\r\n-1.5,,cigüeña\r\n"
