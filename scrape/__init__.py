"""Stage 1: species -> images on disk, with where each came from."""

from ..lazy import public

__all__ = ["LIMIT", "Candidate", "ScrapeResult", "ScrapeStoppedError", "Source", "SpeciesResult", "scrape"]
__getattr__ = public(
    __name__,
    {
        **dict.fromkeys(("LIMIT", "ScrapeResult", "ScrapeStoppedError", "scrape"), "stage"),
        **dict.fromkeys(("Candidate", "Source"), "candidates"),
        "SpeciesResult": "gathering",
    },
)
