"""The figures of the five coursework reports beside those that `birds` reaches by the commands of docs/laboratory.md.

    python benchmarks/laboratory.py --cub CUB_200_2011 --mnist MNIST --cifar10 cifar-10-batches-py
    python benchmarks/laboratory.py --two FOLDER --weights FILE --quick
    python benchmarks/laboratory.py --generated

Each guide is run in a folder of its own in which the dataset lies under the name that its commands have for it, and its
figures are read from what they print. A report whose dataset is not given, or is not there, has a row that says so.
`--quick` leaves out what the page says takes long. `--generated` draws small datasets of the same formats (there the
figures mean nothing) and is quick. `--keep DIR` leaves the projects in DIR, and goes on with what is there.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import generated_datasets

from scrape import WORK

PAGE = Path(__file__).resolve().parent.parent / "docs" / "laboratory.md"
_LONG = re.compile("takes? long")  # in the paragraph before commands that are not run where time is short
_FILE = re.compile(r"# (\S+\.toml)$")  # the first line of a block that is a file
_WEIGHTS = re.compile(r"--weights (\S+\.(?:safetensors|pth))")
Answers = list[tuple[str, Any]]  # of the commands of a guide, in order, with what they printed


@dataclass(frozen=True)
class Guide:
    """One part of the page.

    Attributes
    ----------
    commands : to be given one after the other in one folder.
    long : those of them that take long.
    files : name -> text, to lie in that folder.
    """

    title: str
    commands: list[str] = field(default_factory=list)
    long: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)


def read_guides(text: str) -> list[Guide]:
    """The guides of the page: a heading, and the indented blocks under it."""
    guides = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        guide, paragraph = Guide(title.strip()), ""
        for lines in _paragraphs(body):
            if not lines[0].startswith("    "):
                paragraph = " ".join(lines)
                continue
            block = [line[4:] for line in lines]
            if name := _FILE.match(block[0]):
                guide.files[name[1]] = "\n".join([*block, ""])
                continue
            commands = [line.strip() for line in block if line.startswith("birds ")]
            guide.commands.extend(commands)
            if _LONG.search(paragraph):
                guide.long.update(commands)
        if guide.commands:
            guides.append(guide)
    return guides


def _paragraphs(text: str) -> list[list[str]]:
    """Lines that belong together; an indented block may have empty ones in it."""
    found: list[list[str]] = []
    for lines in (part.split("\n") for part in re.split(r"\n{2,}", text.strip("\n"))):
        if found and all(some[0].startswith("    ") for some in (found[-1], lines)):
            found[-1] += ["", *lines]
        else:
            found.append(lines)
    return found


# -- the reports


def _last(answers: Answers, begins: str) -> Any:
    """What the last command of these that begins so printed. Raises LookupError where it was not run."""
    found = [answer for command, answer in answers if command.startswith(begins)]
    if not found:
        raise LookupError(f"{begins} was not run")
    return found[-1]


def _of(begins: str, *keys: str) -> Callable[[Answers], Any]:
    def read(answers: Answers) -> Any:
        value = _last(answers, begins)
        for key in keys:
            value = value[key]
        return value

    return read


def _overfits_from(answers: Answers) -> Any:
    verdict = _last(answers, "birds explain")["verdict"]
    return f"{verdict['kind']}" + (f" from epoch {verdict['epoch']}" if verdict["epoch"] else "")


def _way(name: str) -> Callable[[Answers], Any]:
    def read(answers: Answers) -> Any:
        return next(row["accuracy"] for row in _last(answers, "birds transfer")["rows"] if row["way"] == name)

    return read


def _network(arch: str, key: str) -> Callable[[Answers], Any]:
    def read(answers: Answers) -> Any:
        return next(row[key] for row in _last(answers, "birds compare")["ranking"] if row["arch"] == arch)

    return read


def _best_of_sweep(answers: Answers) -> Any:
    return _last(answers, "birds sweep")["rows"][0]["entry"]["valid_accuracy"]


@dataclass(frozen=True)
class Figure:
    """One figure of a report: what it is, what the report says, where it stands in what the commands print."""

    name: str
    report: str
    read: Callable[[Answers], Any]


@dataclass(frozen=True)
class Report:
    """A guide, by the beginning of its title, with the dataset's flag and its name in the commands."""

    guide: str
    flag: str
    dataset: str
    figures: Sequence[Figure]


REPORTS = (
    Report("bird_cnn", "cub", "CUB_200_2011", (
        Figure("seconds of training", "2400 (40 epochs on a CPU)", _of("birds train", "seconds")),
        Figure("validation accuracy", "not known here", _of("birds train", "valid_accuracy")),
    )),
    Report("emoji_cnn", "emoji", "emoji.pkl", (
        Figure("training accuracy", "0.92", _of("birds explain --part train", "accuracy")),
        Figure("validation accuracy", "0.87", _of("birds train", "valid_accuracy")),
        Figure("course", "overfitting from epoch 16", _overfits_from),
    )),
    Report("simple_cnn", "mnist", "MNIST", (
        Figure("accuracy", "0.9892 after 10 epochs", _of("birds evaluate", "accuracy")),
    )),
    Report("alexnet_small", "cifar10", "cifar-10-batches-py", (
        Figure("accuracy", "0.7012 at epoch 15", _of("birds evaluate", "accuracy")),
        Figure("course", "overfitting from epoch 10", _overfits_from),
    )),
    Report("Transfer", "two", "two", (
        Figure("from scratch", "0.72", _way("scratch")),
        Figure("features and SVM", "0.905", _way("features + SVM")),
        Figure("fine-tuned", "0.91", _way("fine-tuned")),
        Figure("fine-tuned, with augmentation", "0.915", _way("fine-tuned, augmented")),
    )),
    Report("base_net", "cifar100", "cifar-100-python", (
        Figure("accuracy of the best", "about 0.40", _best_of_sweep),
    )),
    Report("The bird notebook", "birds8", "birds8", tuple(
        Figure(f"{arch}, {key.removeprefix('test_')}", report, _network(arch, key))
        for arch, *both in (
            ("resnet152", "0.925", "0.315"), ("resnext101_64x4d", "0.908", "0.300"),
            ("resnext101_32x8d", "0.917", "0.221"), ("resnext50_32x4d", "0.925", "0.2095"),
        )
        for key, report in zip(("test_accuracy", "test_loss"), both, strict=True)
    )),
)  # fmt: skip


# -- small datasets of the same formats


def write_two(folder: Path, *, pictures: int = 12) -> Path:
    """``two`` in `folder`: two folders of drawn pictures."""
    for kind, label in enumerate(("cigüeña", "garza")):
        (folder / "two" / label).mkdir(parents=True, exist_ok=True)
        for number in range(pictures):
            picture, _ = generated_datasets.draw(kind, 2, number, (96, 80))
            picture.save(folder / "two" / label / f"{number}.png")
    return folder / "two"


def write_weights(path: Path) -> Path:
    """Random weights of MobileNetV2 under torchvision's names: they know nothing, but tell pictures apart."""
    import torch
    from birds.models.gate import torchvision
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2(weights=None)
    with torch.no_grad():
        for _ in range(20):  # batch norm must know how large things are, or they die away from layer to layer
            network(torch.randn(8, 3, 64, 64))
        network.features[-1][1].weight.mul_(10)  # what a head can learn from in a few steps
    tensors = {name: tensor for name, tensor in network.half().state_dict().items() if "classifier" not in name}
    save_file(tensors, path)
    return path


GENERATED: dict[str, Callable[[Path], Path]] = {
    "cub": lambda folder: generated_datasets.write_cub200(folder, classes=20, pictures=4),
    "emoji": lambda folder: generated_datasets.write_pickle(folder, pictures=8),
    "mnist": lambda folder: generated_datasets.write_mnist(folder, pictures=8).parent,
    "cifar10": lambda folder: generated_datasets.write_cifar10(folder, pictures=5),
    "cifar100": lambda folder: generated_datasets.write_cifar100(folder, pictures=2),
    "two": write_two,
    "birds8": lambda folder: write_two(folder).rename(folder / "birds8"),
}


# -- the runs


def lay_out(guide: Guide, folder: Path, dataset: Path, name: str, weights: Path | None) -> None:
    """Make `folder` what the commands of `guide` expect: its dataset and, where they name one, the weights file."""
    folder.mkdir(parents=True, exist_ok=True)
    links = {name: dataset}
    for command in guide.commands:
        if weights and (named := _WEIGHTS.search(command)):
            links[named[1]] = weights
    for link, target in links.items():
        if not (folder / link).is_symlink():
            (folder / link).symlink_to(target.resolve())
    for file_name, text in guide.files.items():
        (folder / file_name).write_text(text)


def run_guide(guide: Guide, folder: Path, *, is_quick: bool) -> Answers:
    """Give the commands in `folder`; what each printed. Raises RuntimeError: one failed."""
    answers: Answers = []
    for command in guide.commands:
        if is_quick and command in guide.long:
            continue
        if (named := _WEIGHTS.search(command)) and not (folder / named[1]).exists():
            print(f"{guide.title}: without --weights not run: {command}", file=sys.stderr)
            continue
        print(f"{guide.title}: {command}", file=sys.stderr)
        told = [sys.executable, "-m", "birds", *shlex.split(command)[1:], "--json"]
        answer = subprocess.run(told, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
        try:
            value = json.loads(answer.stdout)
        except ValueError:
            value = {}
        if answer.returncode:
            raise RuntimeError(value.get("error", {}).get("message", f"{command} failed"))
        answers.append((command, value))
    return answers


def rows_of(report: Report, answers: Answers | None, problem: str) -> list[dict[str, str]]:
    """The lines of the table about one report; without `answers` they say what the `problem` is."""
    rows = []
    for figure in report.figures:
        ours = problem
        if answers is not None:
            try:
                value = figure.read(answers)
                ours = f"{value:.4g}" if isinstance(value, int | float) else str(value)
            except (LookupError, StopIteration) as error:
                ours = str(error) or "not trained"
        rows.append({"report": report.guide, "figure": figure.name, "of the report": figure.report, "birds": ours})
    return rows


def measure(report: Report, arguments: argparse.Namespace, work: Path) -> list[dict[str, str]]:
    """Run the guide of `report` where its dataset is there; its lines of the table."""
    guide = next(one for one in read_guides(PAGE.read_text(encoding="utf-8")) if one.title.startswith(report.guide))
    given: Path | None = getattr(arguments, report.flag)
    weights: Path | None = arguments.weights
    if arguments.generated:
        given = GENERATED[report.flag](work / "generated")
        weights = write_weights(work / "generated" / "weights.safetensors")
    if given is None:
        return rows_of(report, None, f"no --{report.flag} given")
    if not given.exists():
        return rows_of(report, None, f"there is no {given}")
    folder = work / report.flag
    lay_out(guide, folder, given, report.dataset, weights)
    try:
        return rows_of(report, run_guide(guide, folder, is_quick=arguments.quick or arguments.generated), "")
    except RuntimeError as error:
        return rows_of(report, None, str(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for report in REPORTS:
        parser.add_argument(f"--{report.flag}", type=Path, help=f"{report.dataset}, for the guide {report.guide}")
    parser.add_argument("--weights", type=Path, help="the weights file that the guide of transfer learning names")
    parser.add_argument("--quick", action="store_true", help="without what takes long")
    parser.add_argument("--generated", action="store_true", help="on small drawn datasets")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the projects are, and stay")
    parser.add_argument("--only", choices=[report.flag for report in REPORTS])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as temporary:
        work = arguments.keep or Path(temporary)
        for report in REPORTS:
            if arguments.only in (None, report.flag):
                for row in measure(report, arguments, work):
                    print(
                        json.dumps(row, ensure_ascii=False) if arguments.json else "  ".join(row.values()), flush=True
                    )


if __name__ == "__main__":
    main()
