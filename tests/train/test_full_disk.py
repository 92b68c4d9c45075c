"""A disk that is full in the middle of a training: one clear line, and the same command goes on afterwards.

A limit on the size of files stands for it: writing fails in the same places, whoever runs the tests.
"""

import resource
import subprocess
import sys
from pathlib import Path

import torch
from birds.models.gate import torchvision
from birds.train.stage import train

_ROOM = 1_000_000  # bytes a file: the head has room, the whole network has none


def test_a_full_disk_ends_a_run_with_one_line_and_the_next_goes_on(dataset: Path) -> None:
    torch.manual_seed(0)
    weights = dataset / "weights.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), weights)
    flags = {"--arch": "squeezenet1_1", "--weights": weights, "--size": 32, "--batch-size": 8, "--epochs": "3,2",
             "--seed": 4, "--precision": "fp32", "--project": dataset, "--name": "cut"}  # fmt: skip
    command = [sys.executable, "-m", "birds", "train", *(str(part) for flag in flags.items() for part in flag)]
    ended = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, resource.RLIM_INFINITY)),
    )
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert "File too large" in last
    assert "head.pth" in last
    assert "Free some space" in last
    assert "Traceback" not in ended.stderr
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    settings = {"arch": "squeezenet1_1", "size": 32, "batch_size": 8, "precision": "fp32"}
    train(dataset, name="undisturbed", weights=str(weights), epochs=(3, 2), seed=4, **settings)
    histories = [(dataset / "runs" / name / "history.csv").read_text() for name in ("cut", "undisturbed")]
    assert histories[0] == histories[1]
