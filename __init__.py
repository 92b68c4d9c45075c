"""birds: from a list of species to an image classifier you can trust.

Each stage is a plain function in the module of its name, imported when first used so that ``import birds`` stays light:

    from birds.scrape import scrape
    from birds.split import split
    from birds.train import train
    from birds.export import export
    from birds.evaluation import evaluate
    from birds.predict import predict

    import birds
    birds.run(".", species=["cigüeña", "garza"])  # all of them, in order
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("birds")
except PackageNotFoundError:  # the folder was put on the path without being installed
    __version__ = "0+unknown"

__all__ = ["__version__", "load", "run"]
_MODULES = {"load": "models.bundle", "run": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .lazy import public  # not at the top: pytest runs this file by itself, under the name of the checkout's folder

    return public(__name__, _MODULES)(name)
