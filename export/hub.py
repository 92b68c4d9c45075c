"""A bundle -> a repository on the Hugging Face Hub, in one commit. The extra ``hub``.

What goes up is a list of five names and nothing else: a picture, with a nest's position in its EXIF, is never on it.
The pickle is, but only where it was asked for: whoever opens one runs its code. The token is the one that
`hf auth login` or the variable HF_TOKEN gives; birds neither asks for it nor keeps it.
"""

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__, files
from ..errors import ModelError, PublishError, UsageError
from ..files import Project
from ..models.manifest import NAME as MANIFEST
from ..models.manifest import Manifest
from ..models.runs import find_run
from ..progress import SILENT, Progress

CARD = "MODEL_CARD.md"  # `model_card.NAME`, whose module takes torch's seconds to import
PICKLE = "export.pkl"
# Name in the bundle -> name on the Hub, in the order shown.
NAMES = {
    CARD: "README.md",  # what the Hub shows on the repository's page
    MANIFEST: MANIFEST,
    "model.onnx": "model.onnx",
    "model.safetensors": "model.safetensors",
    PICKLE: PICKLE,
}
_OPEN_WITHOUT_PICKLE = ("model.onnx", "model.safetensors")
_REPO = re.compile(r"(?:\w[\w.-]*/)?\w(?:[\w.-]*\w)?", re.ASCII)
_LONGEST_NAME = 96


@dataclass(frozen=True)
class PushResult:
    """What went up, or would.

    Attributes
    ----------
    repo : owner and name; on a dry run as it was given.
    uploaded : name on the Hub -> bytes.
    left_out : name in the bundle -> why it stays here.
    removed : files of an earlier push that are not of this one and went away with the same commit.
    url : of the repository; None on a dry run.
    commit : its identifier; None on a dry run.
    """

    repo: str
    run: str
    is_dry_run: bool
    is_private: bool
    uploaded: dict[str, int]
    left_out: dict[str, str]
    removed: list[str] = field(default_factory=list)
    url: str | None = None
    commit: str | None = None


def push(
    project: Path,
    repo: str,
    run: str | None = None,
    *,
    with_pickle: bool = False,
    private: bool = False,
    dry_run: bool = False,
    show_bars: bool = False,
    progress: Progress = SILENT,
) -> PushResult:
    """Put the bundle of a finished run (default: the newest) into the repository `repo`, made if there is none.

    Parameters
    ----------
    repo : ``OWNER/NAME``, or ``NAME`` for one of your own.
    with_pickle : upload export.pkl too.
    private : make the repository a private one; an existing public one is refused.
    dry_run : say what would go up. Nothing is asked of the network, and the extra need not be there.
    show_bars : let huggingface_hub draw its own bars of the upload.

    Raises
    ------
    UsageError : `repo` cannot be a repository's name, or the extra is not installed.
    ModelError : no such run, not exported, exported in no format that opens without a pickle, or changed since.
    PublishError : not logged in, refused by the Hub, or the Hub cannot be reached.
    """
    if not _REPO.fullmatch(repo) or len(repo) > _LONGEST_NAME or "--" in repo or ".." in repo:
        raise UsageError(
            f"{repo!r} cannot be a repository on the Hub.",
            "Give OWNER/NAME, such as maria/storks: letters without accents, digits, and - _ . within.",
        )
    chosen = find_run(Project(Path(project)), run)
    wanted, left_out = chosen_files(chosen.bundle, chosen.name, with_pickle=with_pickle)
    sizes = {NAMES[path.name]: path.stat().st_size for path in wanted}
    if dry_run:
        return PushResult(repo, chosen.name, True, private, sizes, left_out)
    progress.note(f"Uploading {len(wanted)} files, {sum(sizes.values()) / 1e6:.1f} MB.")
    summary = f"{chosen.name}, exported by birds {__version__}"
    name, removed, commit, url = _upload(repo, wanted, summary, private=private, show_bars=show_bars)
    return PushResult(name, chosen.name, False, private, sizes, left_out, removed, url, commit)


def chosen_files(bundle: Path, run: str, *, with_pickle: bool) -> tuple[list[Path], dict[str, str]]:
    """The files of a bundle that go up, in the order of `NAMES`; and of the others, name -> why they do not.

    Raises
    ------
    ModelError : the bundle is not there, lacks what a published one needs, or is not as its model.json says.
    """
    again = f"Run `birds export {run}`."
    if not bundle.is_dir():
        raise ModelError(f"The run {run} is not exported yet.", again)
    present = {path.name: path for path in sorted(bundle.iterdir())}
    left_out = dict.fromkeys(present.keys() - NAMES.keys(), "not of a model that is published")
    if PICKLE in present and not with_pickle:
        left_out[PICKLE] = "a pickle runs code where it is opened; --with-pickle uploads it"
    wanted = [present[name] for name in NAMES if name in present and name not in left_out]
    if missing := {CARD, MANIFEST} - present.keys():
        raise ModelError(f"{bundle} has no {' and no '.join(sorted(missing))}.", again)
    if not any(path.name in _OPEN_WITHOUT_PICKLE for path in wanted):
        raise ModelError(f"{bundle} has neither model.onnx nor model.safetensors.", again)
    digests = Manifest.from_json(present[MANIFEST].read_bytes(), present[MANIFEST]).files
    for path in wanted:
        # The card is for its owner to complete; what predicts has to be what was exported and judged.
        if path.name not in (CARD, MANIFEST) and digests.get(path.name) != files.sha256_of(path):
            raise ModelError(f"{path} is not what {MANIFEST} beside it describes.", again)
    return wanted, dict(sorted(left_out.items()))


def _upload(
    repo: str, wanted: list[Path], summary: str, *, private: bool, show_bars: bool
) -> tuple[str, list[str], str, str]:
    """Make the repository, commit the files to it; returns its full name, what was removed, commit and address."""
    hub = _huggingface_hub()
    if not show_bars:
        hub.utils.disable_progress_bars()
    token = hub.get_token()
    if token is None:
        raise PublishError(
            "You are not logged in to the Hugging Face Hub.",
            "Run `hf auth login`, or put a token with write permission into the variable HF_TOKEN.",
        )
    api = hub.HfApi(token=token, library_name="birds", library_version=__version__)
    try:
        # None leaves it to the owner's own default and does not ask for a public one.
        place = api.create_repo(repo, private=private or None, exist_ok=True)
        about = api.repo_info(place.repo_id)
        if private and not about.private:
            raise PublishError(
                f"The repository {place.repo_id} is public already, so nothing was uploaded.",
                "Choose another name, make it private on its settings page, or leave out --private.",
            )
        sent = {NAMES[path.name] for path in wanted}
        there = {sibling.rfilename for sibling in about.siblings or ()}
        # A model.onnx of an earlier export would contradict the model.json of this one.
        stale = sorted((set(NAMES.values()) - sent) & there)
        operations = [hub.CommitOperationAdd(NAMES[path.name], path) for path in wanted]
        operations += [hub.CommitOperationDelete(name) for name in stale]
        commit = api.create_commit(place.repo_id, operations, commit_message=summary)
    except (hub.errors.HTTPError, OSError, RuntimeError, ValueError) as error:  # ValueError: a card it finds invalid
        raise _explained(error, repo, hub) from error
    return place.repo_id, stale, str(commit.oid), str(place)


def _huggingface_hub() -> Any:
    if not find_spec("huggingface_hub"):
        raise UsageError("Publishing needs huggingface_hub.", 'Install it with: pip install "birds[hub]"')
    # Left to itself it asks the Hub what programs to look for in the environment, and reports what it found.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    import huggingface_hub.errors
    import huggingface_hub.utils

    return huggingface_hub


def _explained(error: Exception, repo: str, hub: Any) -> PublishError:
    """What the Hub answered, or did not, as one line with the remedy. An upload's own error is its cause."""
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    said = (getattr(cause, "server_message", None) or str(cause) or type(cause).__name__).strip()
    detail = said.partition("\n")[0].rstrip(".: ")
    if isinstance(cause, hub.errors.OfflineModeIsEnabled):
        return PublishError("HF_HUB_OFFLINE keeps huggingface_hub off the network.", "Unset it and push again.")
    if isinstance(cause, hub.errors.HfHubHTTPError):
        status = cause.response.status_code
        if status == 401:
            return PublishError("The Hub does not know your token.", "Run `hf auth login` again, or mend HF_TOKEN.")
        if status == 403:
            return PublishError(
                f"Your token may not write to {repo}: {detail}.",
                "Use a token with write permission, and a name under your own user or organisation.",
            )
        if status == 404:
            return PublishError(f"The Hub knows no place for {repo}: {detail}.", "Check the owner's name.")
        return PublishError(f"The Hub answered {status}: {detail}.", "Push again later; nothing was committed.")
    if isinstance(cause, hub.errors.HTTPError | OSError):
        return PublishError(
            f"The Hub cannot be reached: {detail}.", "Check the network and push again; nothing was committed."
        )
    return PublishError(f"The Hub did not take the model: {' '.join(said.split())}.", "Nothing was committed.")
