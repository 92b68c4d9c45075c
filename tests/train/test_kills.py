"""A run that is killed again and again ends with the numbers of one that nobody disturbed.

Three kills here; ``make faults`` asks for more by BIRDS_KILLS.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from birds.models.gate import torchvision
from birds.train.stage import train

KILLS = int(os.environ.get("BIRDS_KILLS", "3"))
EPOCHS = [8, 3 * (KILLS - 1)]  # a kill lets one or two pass
SETTINGS = {
    "arch": "squeezenet1_1", "size": 32, "batch_size": 8, "epochs": EPOCHS, "patience": [50], "seed": 4,
    "lr": [1e-3, 1e-4], "mixup": [0.2], "precision": "fp32", "views": 2,
}  # fmt: skip
CODE = """
import sys, json
from birds.train.stage import train
train(sys.argv[1], name="killed", **json.loads(sys.argv[2]))
"""


@pytest.mark.timeout(60 + 60 * KILLS)
def test_kills_at_any_moment_leave_the_undisturbed_history(dataset: Path) -> None:
    torch.manual_seed(0)
    weights = dataset / "weights.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), weights)
    settings = {**SETTINGS, "weights": str(weights)}
    undisturbed = train(dataset, name="undisturbed", **settings)
    whole = (dataset / "runs" / "undisturbed" / "history.csv").read_bytes()
    folder, chance, rows = dataset / "runs" / "killed", random.Random(0), []
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(dataset), json.dumps(settings)], stderr=subprocess.DEVNULL
        )
        _wait_for_a_row(folder / "history.csv", process)
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        process.wait()
        assert not (folder / "result.json").exists(), "it was not killed in the middle"
        rows.append(len((folder / "history.csv").read_bytes().splitlines()))
    finished = train(dataset, name="killed", **settings)
    print(f"{KILLS} kills, after {', '.join(str(count - 1) for count in rows)} of {sum(EPOCHS)} epochs")
    assert (folder / "history.csv").read_bytes() == whole
    assert (finished.valid_loss, finished.best_epoch) == (undisturbed.valid_loss, undisturbed.best_epoch)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["fine_tune.pth", "head.pth"]


def _wait_for_a_row(file: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until the process has ended another epoch."""
    before = file.read_bytes() if file.exists() else b""
    while (not file.exists() or file.read_bytes() == before) and process.poll() is None:
        time.sleep(0.002)
