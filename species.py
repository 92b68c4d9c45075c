"""Names of species: which label, search term and scientific name belong to what a person typed.

The names themselves are data, in ``species.toml``. Any spelling finds its species: without accents, in capitals,
decomposed (NFD, as macOS names files), in English or by its scientific name.
"""

import difflib
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .errors import UsageError

_MAX_LABEL_BYTES = 120  # a folder name and, with the picture's name after it, safe on every file system
_NOT_IN_A_FOLDER_NAME = frozenset('/\\:*?"<>|')


@dataclass(frozen=True)
class Species:
    """One species, or a wider group where people search for one (parrots, cockatoos).

    Attributes
    ----------
    label : folder and class name, in Unicode NFC, as a Spanish speaker would write it.
    english : common English name.
    scientific : scientific name of the species, or of the family for a group.
    query : what is typed into an image search.
    """

    label: str
    english: str
    scientific: str
    query: str


def fold(name: str) -> str:
    """`name` without accents, case, or difference between spaces, hyphens and underscores."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(bare.casefold().replace("-", " ").replace("_", " ").replace("'", "").split())


@cache
def known() -> tuple[Species, ...]:
    """Every species of ``species.toml``, in the order of the file."""
    table = tomllib.loads(files(__package__).joinpath("species.toml").read_text(encoding="utf-8"))
    return tuple(
        Species(
            label=unicodedata.normalize("NFC", row["label"]),
            english=row["english"],
            scientific=row["scientific"],
            query=row.get("query", f"{row['english']} bird"),
        )
        for row in table["species"]
    )


@cache
def _by_folded_name() -> dict[str, Species]:
    index: dict[str, Species] = {}
    for kind in ("label", "english", "scientific", "query"):  # a label wins over another species' English name
        for species in known():
            index.setdefault(fold(getattr(species, kind)), species)
    return index


def find(name: str) -> Species | None:
    """The species called `name` in any spelling, or None."""
    return _by_folded_name().get(fold(name))


def nearest(name: str, n: int = 3) -> list[str]:
    """Labels of the known species whose names look most like `name`, best first, at most `n`."""
    index = _by_folded_name()
    hits = difflib.get_close_matches(fold(name), index, n=3 * n, cutoff=0.6)
    return list(dict.fromkeys(index[hit].label for hit in hits))[:n]


def clean_label(name: str) -> str:
    """`name` as a folder name, in Unicode NFC. A label is never a path.

    Raises
    ------
    UsageError : the name is empty, too long, hidden, or holds a character that no folder name may hold.
    """
    label = " ".join(unicodedata.normalize("NFC", name).split())
    if not label or label.startswith(".") or label.endswith("."):
        raise UsageError(f"{name!r} cannot be a label.", "Give a name that neither starts nor ends with a dot.")
    if any(c in _NOT_IN_A_FOLDER_NAME or not c.isprintable() for c in label):
        raise UsageError(f"{name!r} cannot be a label: it is not a folder name.", "Use letters, spaces and hyphens.")
    if len(label.encode()) > _MAX_LABEL_BYTES:
        raise UsageError(f"The label {label[:30]!r}... is too long.", f"Keep it under {_MAX_LABEL_BYTES} bytes.")
    return label
