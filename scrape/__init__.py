"""Stage 1: species -> images on disk, with where each came from."""

from .candidates import Candidate, Source
from .stage import LIMIT, ScrapeResult, ScrapeStoppedError, SpeciesResult, scrape

__all__ = ["LIMIT", "Candidate", "ScrapeResult", "ScrapeStoppedError", "Source", "SpeciesResult", "scrape"]
