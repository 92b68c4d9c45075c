"""The page of `birds explore`: values in, one file out; see `static_page.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from ..static_page import chart, data_uri, document, facts, table
from .counts import Counts, Overview, Spread
from .samples import Samples

if TYPE_CHECKING:
    from fastcore.xml import FT

_STYLE = """
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0 0.6rem; }
.samples.rows { display: block; }
.samples img {
  display: block; width: 9.5rem; height: 7rem; object-fit: contain; background: var(--surface); border-radius: 6px;
}
@media (max-width: 30rem) {
  .samples img { width: 6.5rem; height: 5rem; }
  .samples ul { gap: 0.4rem; }
}
@media print {
  .samples img { width: 6.4rem; height: 4.8rem; }
  .samples section { break-inside: avoid; }
}
"""
_WORDS = ("formats", "sources")  # columns of words


def page(
    project: str,
    *,
    seen: Overview,
    light: Mapping[str, bytes],
    dark: Mapping[str, bytes],
    samples: Samples,
) -> str:
    """The whole page.

    Parameters
    ----------
    project : the project's name.
    light, dark : PNGs by the name of the chart, see `charts.charts`.
    """
    from fasthtml.components import Code, P

    sizes, classes, flags = (
        chart(f"Chart of the {name}", light[name], dark[name]) for name in ("sizes", "classes", "flags")
    )
    parts: dict[str, Sequence[FT]] = {
        "Sizes": (sizes, _sizes_table(seen.total), *_unmeasured(seen.total)),
        "Classes": (P(_balance(seen.classes)), classes, _classes_table(seen)),
        "Samples": (P(_drawn(samples, len(seen.classes))), _samples(samples)),
        "Copies and flags": (P(_copies(seen)), *((flags, _flags_table(seen)) if seen.flags else _no_flags())),
        "Next": (P(Code("birds clean"), " finds and settles what is wrong, ", Code("birds split"), " follows."),),
    }
    return document(f"{project} · birds explore", project, _facts(seen), parts=parts, style=_STYLE)


def _facts(seen: Overview) -> "FT":
    values = {
        "pictures": f"{seen.total.pictures:,}",
        "classes": f"{len(seen.classes):,}",
        "rejected": f"{seen.total.rejected:,}",
        "shorter side, pixels": _mean(seen.total.shorter_side),
        "identical files": f"{seen.copies.files:,}",
        "flagged by birds clean": f"{seen.total.flagged:,}",
    }
    return facts(values)


def _sizes_table(total: Counts) -> "FT":
    measured = {
        "width, pixels": (total.width, 1, 0),
        "height, pixels": (total.height, 1, 0),
        "shorter side, pixels": (total.shorter_side, 1, 0),
        "width / height": (total.aspect, 1, 2),
        "file as it came, kB": (total.bytes, 1000, 0),
    }
    rows = [
        (name, *(f"{value / unit:,.{digits}f}" for value in astuple(spread)))
        for name, (spread, unit, digits) in measured.items()
        if spread
    ]
    return table("Sizes", ("", "mean", "standard deviation", "smallest", "median", "largest"), rows)


def _unmeasured(total: Counts) -> list["FT"]:
    from fasthtml.components import P

    n = total.unmeasured
    return [P(f"{n:,} without a size are left out: unreadable, or not read yet.")] if n else []


def _balance(classes: Mapping[str, Counts]) -> str:
    most, least = (pick(counts.pictures for counts in classes.values()) for pick in (max, min))
    if most == least:
        return f"Each class has {most:,}."
    return f"From {least:,} to {most:,} a class" + (f": {most / least:.1f} times as many." if least else ".")


def _classes_table(seen: Overview) -> "FT":
    titles = (
        "class", "pictures", "rejected", "flagged", "width", "height", "width / height", "kB", "formats", "sources",
    )  # fmt: skip

    def row(name: str, counts: Counts) -> tuple[str, ...]:
        return (
            name, f"{counts.pictures:,}", f"{counts.rejected:,}", f"{counts.flagged:,}",
            _mean(counts.width), _mean(counts.height), _mean(counts.aspect, digits=2), _mean(counts.bytes, unit=1000),
            _listed(counts.formats), _listed(counts.sources),
        )  # fmt: skip

    rows = [row(label, counts) for label, counts in seen.classes.items()]
    return table("Classes: mean ± standard deviation", titles, rows, row("all", seen.total), _WORDS)


def _drawn(samples: Samples, classes: int) -> str:
    shown = len(samples.shown)
    texts = ["Drawn at random; another --seed draws others."]
    texts += [f"Of the {shown:,} largest classes."] if shown < classes else []
    texts += [f"{samples.skipped:,} could not be shown."] if samples.skipped else []
    return " ".join(texts)


def _samples(samples: Samples) -> "FT":
    from fasthtml.components import H3, Div, Img, Li, Section, Ul

    sections = [
        Section(
            H3(label),
            Ul(*(Li(Img(src=data_uri("jpeg", picture), alt=label)) for picture in pictures), role="list"),
        )
        for label, pictures in samples.shown.items()
    ]
    is_row_each = max(map(len, samples.shown.values())) > 1
    return Div(*sections, cls="samples rows" if is_row_each else "samples")


def _copies(seen: Overview) -> str:
    copies = seen.copies
    if not copies.groups:
        return "No file is there twice, byte by byte."
    return (
        f"Byte by byte the same as another: {copies.files:,} files (groups: {copies.groups:,}, "
        f"across classes: {copies.across_classes:,})."
    )


def _no_flags() -> tuple["FT"]:
    from fasthtml.components import Code, P

    text = ": near-duplicates, poor pictures and doubtful labels are what it looks for."
    return (P("No picture is flagged by ", Code("birds clean"), text),)


def _flags_table(seen: Overview) -> "FT":
    rows = [
        (reason.replace("_", " "), f"{flag.pictures:,}", f"{flag.groups:,}" if flag.groups else "")
        for reason, flag in seen.flags.items()
    ]
    return table("Flagged by birds clean", ("reason", "pictures", "groups"), rows)


def _mean(spread: Spread | None, *, digits: int = 0, unit: float = 1) -> str:
    return f"{spread.mean / unit:,.{digits}f} ± {spread.std / unit:,.{digits}f}" if spread else "–"


def _listed(counts: Mapping[str, int]) -> str:
    """``JPEG``, or ``JPEG 118, PNG 2`` where there are several."""
    return ", ".join(counts if len(counts) == 1 else (f"{name} {n:,}" for name, n in counts.items()))
