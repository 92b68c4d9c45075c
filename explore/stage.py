"""`birds explore`: a project in pictures and numbers, in the folder ``exploration/`` and on one page of it.

No picture is changed or moved. It works right after `birds scrape`, on folders of pictures put into images/ by
hand, beside the review page, and while another command is at work.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from ..drawing import DARK, LIGHT
from ..errors import ProjectError
from ..files import Project, write_bytes
from ..progress import SILENT, Progress
from ..reconcile import inspect_stored, reconcile
from ..record import PictureFile, Record, State
from ..tables import as_csv
from .charts import charts
from .counts import Counts, Spread, overview
from .page import page
from .samples import draw_samples, sheet

SEED = 5

FOLDER = "exploration"


@dataclass(frozen=True)
class ExploreResult:
    """What there is, in numbers of pictures; sizes in pixels.

    Attributes
    ----------
    classes, rejected : label -> pictures in images/, and rejected ones.
    unmeasured : pictures without a size: unreadable, or not read yet.
    width, height, shorter_side, aspect : mean, std, min, median and max; None where no picture was measured.
    copies : files that are byte by byte the same as another: ``groups``, ``files``, ``across_classes``.
    flags : reason -> pictures that `birds clean` found and nobody has settled yet.
    not_shown : drawn as samples, but they could not be decoded.
    files : name -> path of all that was written.
    page : the page.
    """

    pictures: int
    classes: dict[str, int]
    rejected: dict[str, int]
    unmeasured: int
    width: Spread | None
    height: Spread | None
    shorter_side: Spread | None
    aspect: Spread | None
    copies: dict[str, int]
    flags: dict[str, int]
    not_shown: int
    files: dict[str, str]
    page: str


def explore(
    project: Path, *, seed: int = SEED, accept_missing: bool = False, progress: Progress = SILENT
) -> ExploreResult:
    """Count, measure, draw, and write ``exploration/``.

    Parameters
    ----------
    seed : of the draw of samples.
    accept_missing : pictures that vanished from images/ were removed on purpose.

    Raises
    ------
    ProjectError : there is no picture in images/.
    """
    place = Project(Path(project))
    if not place.images.is_dir():
        raise ProjectError(
            f"There is no folder {place.images}.",
            "Run `birds scrape`, or put one folder of pictures for each class there.",
        )
    with Record(place) as record:
        stored = _stored(place, record, progress, accept_missing=accept_missing)
        if not stored:
            raise ProjectError(
                f"There are no pictures in {place.images}.",
                "Run `birds scrape`, or put one folder of pictures for each class there.",
            )
        seen = overview(stored, record.counts(State.REJECTED), record.review.findings())
    by_label: dict[str, list[PictureFile]] = {label: [] for label in seen.classes}
    for file in stored:
        by_label[file.label].append(file)
    samples = draw_samples(place, by_label, seed, progress)
    light = charts(seen, LIGHT)
    text = page(
        place.root.resolve().name,
        seen=seen,
        light=light,
        dark=charts(seen, DARK),
        samples=samples,
    )
    contents = {f"{name}.png": picture for name, picture in light.items()}
    contents |= {"samples.jpg": sheet(samples.shown), "classes.csv": _table(seen.classes), "index.html": text.encode()}
    for name, content in contents.items():
        write_bytes(place.root / FOLDER / name, content)
    files = {name: str(place.root / FOLDER / name) for name in contents}
    total = seen.total
    return ExploreResult(
        pictures=total.pictures,
        classes={label: counts.pictures for label, counts in seen.classes.items()},
        rejected={label: counts.rejected for label, counts in seen.classes.items()},
        unmeasured=total.unmeasured,
        width=total.width,
        height=total.height,
        shorter_side=total.shorter_side,
        aspect=total.aspect,
        copies=asdict(seen.copies),
        flags={str(reason): flag.pictures for reason, flag in seen.flags.items()},
        not_shown=samples.skipped,
        files=files,
        page=files["index.html"],
    )


def _stored(place: Project, record: Record, progress: Progress, *, accept_missing: bool) -> list[PictureFile]:
    """The files in images/, after what was done there by hand; or as the record has them, while others change it."""
    with ExitStack() as held:
        try:
            held.enter_context(place.locked("explore"))
        except ProjectError:
            progress.note("Another birds command is at work here: shown is what the record holds right now.")
            return record.files(State.STORED)
        changes = reconcile(place, record, accept_missing=accept_missing)
        if str(changes):
            progress.note(f"By hand since last time: {changes}.")
        return inspect_stored(place, record, progress)


def _table(classes: Mapping[str, Counts]) -> bytes:
    """A CSV, a class a row; with a byte order mark, without which Excel takes ñ for two letters."""
    spreads = ("width", "height", "shorter_side", "aspect", "bytes")
    figures = ("mean", "std", "min", "median", "max")
    numbers = ("pictures", "rejected", "flagged", "unmeasured")
    rows = []
    for label, counts in classes.items():
        row = asdict(counts)
        measured = (round(row[s][f], 3) if row[s] else "" for s in spreads for f in figures)
        words = ("; ".join(f"{name} {n}" for name, n in row[column].items()) for column in ("formats", "sources"))
        rows.append([label, *(row[n] for n in numbers), *measured, *words])
    columns = ["label", *numbers, *(f"{s}_{f}" for s in spreads for f in figures), "formats", "sources"]
    return as_csv(columns, rows).encode("utf-8-sig")
