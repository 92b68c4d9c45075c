"""imagededup and CleanVision, the peers of `birds clean`, each turn in a fresh process with packages of its own:

    python benchmarks/cleaning_peers.py NAME FOLDER [THRESHOLD]

measures one of `PEERS` over the pictures of FOLDER and its folders, and prints one JSON line; `run_peer` calls that.
`install` puts both into build/cleaning-peers. They find torch, numpy and Pillow in the environment that runs the
benchmark, so that all contenders decode with the same library and nothing large is fetched twice.
"""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGES = ("imagededup==0.3.3.post2", "cleanvision==0.3.7")
PEERS_FOLDER = Path(__file__).resolve().parent.parent / "build" / "cleaning-peers"
PEERS_PYTHON = PEERS_FOLDER / "bin" / "python"
INSTALL_TIMEOUT_S = 600
DEFAULT_DISTANCE = 10  # bits; what imagededup takes for near by default

Turn = dict[str, Any]
_declared: list[Any] = []  # torch forgets declared operators with the object that declared them


def install() -> str | None:
    """See to both peers in build/cleaning-peers; returns why they are missing, or None."""
    try:
        if not PEERS_PYTHON.exists():
            _run([sys.executable, "-m", "venv", str(PEERS_FOLDER)])
        purelib = PEERS_FOLDER.joinpath("lib", f"python{sysconfig.get_python_version()}", "site-packages")
        (purelib / "environment.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        _run([str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", *PACKAGES])
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or "").strip().splitlines()
        return f"{' and '.join(PACKAGES)} cannot be installed: {said[-1] if said else error}"
    return None


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True)


def run_peer(name: str, folder: Path, threshold: int | None = None) -> Turn:
    """One turn of the peer `name` of `PEERS` over the pictures below `folder`.

    Parameters
    ----------
    threshold : bits that two hashes may differ in; only "imagededup, near pairs" asks for it, `DEFAULT_DISTANCE` if
        None.

    Returns
    -------
    What the peer's function says, with ``seconds`` (of the call alone, imports apart), ``process_s`` and ``peak_mb`` of
    the process with its children; or ``error`` alone.
    """
    from scrape import run_timed  # here: the peers' own Python, which has no birds, runs this file too

    command = [str(PEERS_PYTHON), __file__, name, str(folder)]
    return run_timed(command if threshold is None else [*command, str(threshold)])


def imagededup_encoding(folder: Path, _: int) -> Callable[[], Turn]:
    """Its pHash of every picture, by a process for each processor as it does by default."""
    method = _phash()
    return lambda: {"pictures": len(method.encode_images(image_dir=folder, recursive=True))}


def imagededup_pairs(folder: Path, threshold: int) -> Callable[[], Turn]:
    """Its encoding and search: ``pairs`` are (one, other, bits) with paths relative to `folder`, one < other."""
    method = _phash()

    def call() -> Turn:
        hashes = method.encode_images(image_dir=folder, recursive=True)
        found = method.find_duplicates(encoding_map=hashes, max_distance_threshold=threshold, scores=True)
        pairs = {(*sorted((one, other)), int(bits)) for one, others in found.items() for other, bits in others}
        return {"pictures": len(hashes), "pairs": sorted(pairs)}

    return call


def cleanvision_checks(folder: Path, _: int) -> Callable[[], Turn]:
    """Its checks of single pictures; the two that look for duplicates are left out."""
    checks = ("light", "dark", "low_information", "blurry", "grayscale", "odd_aspect_ratio", "odd_size")
    return _cleanvision(folder, {check: {} for check in checks})


def cleanvision_all(folder: Path, _: int) -> Callable[[], Turn]:
    """All that it looks for by default.

    ``issues`` are the paths, relative to `folder`, that it flags by each check; ``sets`` its groups of exact and of
    near duplicates.
    """
    return _cleanvision(folder, None)


PEERS: dict[str, Callable[[Path, int], Callable[[], Turn]]] = {
    "imagededup, encoding": imagededup_encoding,
    "imagededup, near pairs": imagededup_pairs,
    "CleanVision, checks": cleanvision_checks,
    "CleanVision, all": cleanvision_all,
}


def _phash() -> Any:
    _mend_torchvision()
    from imagededup.methods import PHash

    return PHash(verbose=False)


def _cleanvision(folder: Path, issue_types: dict[str, Any] | None) -> Callable[[], Turn]:
    from cleanvision import Imagelab

    def relative(path: str) -> str:
        return str(Path(path).relative_to(folder))

    def call() -> Turn:
        lab = Imagelab(data_path=str(folder), verbose=False)
        lab.find_issues(issue_types, n_jobs=os.cpu_count(), verbose=False)  # its default counts hyper-threads as none
        flagged = [column for column in lab.issues if column.startswith("is_") and column.endswith("_issue")]
        issues = {
            column.removeprefix("is_").removesuffix("_issue"): sorted(
                map(relative, lab.issues.index[lab.issues[column]])
            )
            for column in flagged
        }
        sets = {
            kind: [sorted(map(relative, members)) for members in lab.info[kind]["sets"]]
            for kind in ("exact_duplicates", "near_duplicates")
            if kind in lab.info
        }
        return {"pictures": len(lab.issues), "issues": issues, "sets": sets}

    return call


def _mend_torchvision() -> None:
    """imagededup imports torchvision at once, which fails beside another build of torch: see models/gate.py."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        _declared.append(library)
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    threshold = int(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT_DISTANCE
    out = os.fdopen(os.dup(1), "w")  # both print their progress: theirs goes to standard error, ours stays alone
    os.dup2(2, 1)
    call = PEERS[name](folder, threshold)
    started = time.perf_counter()
    result = call()
    print(json.dumps({"seconds": round(time.perf_counter() - started, 3), **result}), file=out, flush=True)


if __name__ == "__main__":
    main()
