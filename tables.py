"""CSV that anybody can open: names come from strangers, and a spreadsheet would take some of them for formulas."""

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # https://owasp.org/www-community/attacks/CSV_Injection


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV; a text that begins like a formula gets a quote before it, None is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # lines end in CRLF (RFC 4180): only then is a lone CR in a title quoted
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
