"""The stages in order: `run` skips what is up to date, `demo` runs them all on the embedded gallery."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import config
from .errors import UsageError
from .files import Project
from .progress import SILENT, Progress

# From scratch the validation loss jumps about at first: small cuts of the learning rate, and patience.
DEMO_TRAINING = {
    "arch": "resnet18",
    "weights": "none",
    "size": 64,
    "epochs": (12,),
    "patience": (10,),
    "plateau_min_delta": (0.0,),
    "plateau_factor": (1.15,),
    "seed": 1,
}
DEMO_PICTURES = 100  # a species; the gallery has some more, since a few are copies or broken


@dataclass(frozen=True)
class PipelineResult:
    """What each stage returned, as it stands in its own JSON; ``scrape`` is None where no species was asked for."""

    scrape: dict[str, Any] | None
    clean: dict[str, Any]
    split: dict[str, Any]
    train: dict[str, Any]
    export: dict[str, Any]
    evaluate: dict[str, Any]
    prediction: dict[str, Any] | None = None


def run(
    project: Path,
    *,
    species: Sequence[str] = (),
    review: bool = False,
    scrape_options: Mapping[str, Any] | None = None,
    split_options: Mapping[str, Any] | None = None,
    train_options: Mapping[str, Any] | None = None,
    progress: Progress = SILENT,
) -> PipelineResult:
    """Every stage in turn, skipping what is up to date.

    Parameters
    ----------
    species : what to scrape; default those of ``birds.toml``. With none, ``images/`` is taken as it is.
    review : stop for the review page after the automatic checks.
    scrape_options, split_options, train_options : keyword arguments of the stages; they win over ``birds.toml``.

    Raises
    ------
    BirdsError : of the stage that could not do its job; what came before is kept.
    """
    from .clean.checks import parse_thresholds
    from .clean.stage import clean
    from .scrape import scrape
    from .split import split

    settings = config.load(project)
    names = tuple(species) or settings.species
    if not names and not Project(project).images.is_dir():
        hint = 'Example: birds run --species cigüeña, or species = ["cigüeña"] in birds.toml'
        raise UsageError("No species given.", hint)
    scraped = None
    if names:
        progress.note("1/6 scrape")
        options = {**config.scrape_arguments(settings.scrape), **(scrape_options or {})}
        scraped = scrape(project, species=names, only_if_changed=True, progress=progress, **options)
    progress.note("2/6 clean")
    thresholds = parse_thresholds(settings.clean.get("threshold", ()))
    weights, arch = (settings.clean.get(key) for key in ("weights", "arch"))
    cleaned = clean(project, auto=True, thresholds=thresholds, weights=weights, arch=arch, progress=progress)
    if review:
        from .clean.server import review as open_review

        open_review(project, progress=progress)
    progress.note("3/6 split")
    options = {**settings.split, **(split_options or {})}
    parts = split(project, only_if_changed=True, progress=progress, **options)
    progress.note("4/6 train")
    from .evaluation import evaluate
    from .evaluation.outdated import current_evaluation
    from .export import export  # torch and fastai: not before they are needed
    from .models.runs import find_run
    from .train.stage import train

    options = {**config.train_arguments(settings.train), **(train_options or {})}
    trained = train(project, only_if_changed=True, progress=progress, **options)
    progress.note("5/6 export")
    exported = export(project, trained.run, only_if_changed=True, progress=progress)
    progress.note("6/6 evaluate")
    place = Project(Path(project))
    judged = current_evaluation(place, find_run(place, trained.run))
    if judged:
        progress.note("The evaluation is up to date.")
    else:
        judged = asdict(evaluate(project, trained.run, report=True, progress=progress))
    return PipelineResult(
        scrape=asdict(scraped) if scraped else None,
        clean=asdict(cleaned),
        split=asdict(parts),
        train=asdict(trained),
        export=asdict(exported),
        evaluate=judged,
    )


def demo(folder: Path, *, progress: Progress = SILENT) -> PipelineResult:
    """The whole chain on the embedded gallery: six drawn species, a small network from scratch, one prediction.

    Parameters
    ----------
    folder : the project folder to make; given again, it goes on from what is there.
    """
    from .demo.draw import LABELS
    from .demo.gallery import Gallery
    from .predict import predict

    with Gallery(per_label=DEMO_PICTURES + 10) as gallery:
        progress.note(f"The gallery answers at {gallery.url}; the browser searches it as it would Google Images.")
        result = run(
            folder,
            species=LABELS,
            scrape_options={"google_url": gallery.url, "allow_hosts": gallery.allow_hosts, "limit": DEMO_PICTURES},
            train_options=DEMO_TRAINING,
            progress=progress,
        )
    picture = min((Project(folder).dataset / "test" / LABELS[0]).iterdir())
    prediction = predict(folder, [picture], result.train["run"]).predictions[0]
    return PipelineResult(**{**vars(result), "prediction": asdict(prediction)})
