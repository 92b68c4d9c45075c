"""Candidates under labels, for what a person has: a list of URLs, a folder of pictures. Any spelling finds one."""

from .. import species
from ..errors import UsageError
from .candidates import Candidate


class LabelledCandidates:
    """Candidates in the order they were added, each URL once a label; those added without label are of every label."""

    def __init__(self) -> None:
        self._of_every_label: dict[str, Candidate] = {}
        self._by_folded_label: dict[str, tuple[str, dict[str, Candidate]]] = {}

    def add(self, candidate: Candidate, name: str | None = None) -> bool:
        """Put `candidate` under the label called `name`, in any spelling; whether that can be a label."""
        if name is None:
            self._of_every_label.setdefault(candidate.url, candidate)
            return True
        label = _label(name)
        if label is None:
            return False
        _, shelf = self._by_folded_label.setdefault(species.fold(label), (label, {}))
        shelf.setdefault(candidate.url, candidate)
        return True

    def labels(self) -> list[str]:
        """Labels in the order they came."""
        return [label for label, _ in self._by_folded_label.values()]

    def of(self, name: str) -> list[Candidate]:
        """Candidates of the label called `name`, in any spelling."""
        _, shelf = self._by_folded_label.get(species.fold(_label(name) or name), ("", {}))
        return [*shelf.values(), *self._of_every_label.values()]


def _label(name: str) -> str | None:
    """The label that `name` stands for, as `birds scrape --species` takes it; None where it can be none."""
    known = species.find(name)
    if known:
        return known.label
    try:
        return species.clean_label(name)
    except UsageError:
        return None
