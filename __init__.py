"""birds: from a list of species to an image classifier you can trust.

Each stage is a plain function in the module of its name, imported when first used so that ``import birds`` stays light:

    from birds.scrape import scrape
    from birds.split import split
    from birds.train import train
    from birds.models import evaluate, export, predict

    import birds
    birds.run(".", species=["cigüeña", "garza"])  # all of them, in order
"""

from importlib.metadata import PackageNotFoundError, version

from .lazy import public

try:
    __version__ = version("birds")
except PackageNotFoundError:  # the folder was put on the path without being installed
    __version__ = "0+unknown"

__all__ = ["__version__", "evaluate", "export", "predict", "run"]
__getattr__ = public(__name__, {"run": "pipeline", "evaluate": "models", "export": "models", "predict": "models"})
