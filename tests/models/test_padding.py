"""That weights trained with TensorFlow's padding are told from others, and that the padding is TensorFlow's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from birds import images
from birds.errors import UsageError
from birds.models import architectures, padding
from birds.models.gate import torchvision
from birds.models.published import with_its_padding
from birds.models.weights import load_pretrained
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

ARCH, TENSORFLOWS = "mobilenet_v2", "mobilenet_v2:padding=tensorflow"
CLASSES = 5


@pytest.mark.parametrize(("size", "pads"), [(8, (0, 1)), (9, (1, 1)), (224, (0, 1))])
def test_the_end_gets_the_odd_pixel(size: int, pads: tuple[int, int]) -> None:
    seen = torch.arange(size * size, dtype=torch.float32).reshape(1, 1, size, size) + 1
    padded = padding.pad_same(seen, (3, 3), (2, 2))
    assert torch.equal(padded, nn.functional.pad(seen, pads * 2))
    assert nn.functional.conv2d(padded, torch.ones(1, 1, 3, 3), stride=2).shape[-1] == -(-size // 2)


def test_a_kernel_of_seven_is_padded_by_two_and_three() -> None:
    padded = padding.pad_same(torch.ones(1, 1, 224, 112), (7, 7), (2, 2))
    assert padded.shape == (1, 1, 229, 117)
    assert padded[0, 0, 2:-3, 2:-3].all()


def test_strided_convolutions_change_and_no_names_do() -> None:
    ours, _ = architectures.make_body(ARCH)
    theirs, _ = architectures.make_body(TENSORFLOWS)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert sum(isinstance(module, padding.TensorflowConv2d) for module in theirs.modules()) == 5
    theirs.load_state_dict(ours.state_dict())
    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = ours(pictures), theirs(pictures)
    assert (one - other).abs().max() > 1e-2 * one.abs().max()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{seed}.png" for seed in range(16)]
    for seed, path in enumerate(paths):
        make_picture(seed, (96, 96)).save(path)
    return paths


def trained(name: str, pictures: list[Path]) -> dict[str, torch.Tensor]:
    """Weights of torchvision's names whose classifier knows `pictures` as the network `name` sees them."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(ARCH, num_classes=CLASSES)
    if padding.is_tensorflows(name):
        padding.pad_as_tensorflow(network)
    squares = np.stack(
        [images.prepare(Image.open(path), architectures.evaluation_size(ARCH, 224)) for path in pictures]
    )
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (architectures.IMAGENET_MEAN, architectures.IMAGENET_STD))
    with torch.inference_mode():
        network.train()  # batch norm takes on the statistics of these pictures
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        network((pixels - mean) / std)
        network.eval()
        seen = network.features((pixels - mean) / std).mean((2, 3)).double()
    targets = nn.functional.one_hot(torch.arange(len(seen)) % CLASSES, CLASSES).double() * 40
    solution = torch.linalg.lstsq(torch.cat([seen, torch.ones(len(seen), 1).double()], 1), targets).solution
    with torch.no_grad():
        network.classifier[1].weight.copy_(solution[:-1].T)
        network.classifier[1].bias.copy_(solution[-1])
    return {key: value.contiguous() for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> dict[str, Path]:
    """A weights file trained with each padding."""
    files = {name: tmp_path_factory.mktemp("weights") / "weights.safetensors" for name in (ARCH, TENSORFLOWS)}
    for name, file in files.items():
        save_file(trained(name, pictures), file)
    return files


@pytest.mark.parametrize("name", [ARCH, TENSORFLOWS])
def test_the_padding_that_weights_were_trained_with_is_found(
    name: str, file_of: dict[str, Path], pictures: list[Path]
) -> None:
    assert with_its_padding(ARCH, str(file_of[name]), pictures) == name


def test_who_says_which_padding_it_is_gets_it(file_of: dict[str, Path], pictures: list[Path]) -> None:
    asked = f"{ARCH}:padding=torch"
    assert with_its_padding(asked, str(file_of[TENSORFLOWS]), pictures) == asked
    body, _ = architectures.make_body(asked)
    assert not any(isinstance(module, padding.TensorflowConv2d) for module in body.modules())


def test_a_file_without_its_classifier_says_nothing(
    file_of: dict[str, Path], pictures: list[Path], tmp_path: Path
) -> None:
    whole = load_file(file_of[TENSORFLOWS])
    save_file({key: value for key, value in whole.items() if "classifier" not in key}, tmp_path / "body.safetensors")
    assert with_its_padding(ARCH, str(tmp_path / "body.safetensors"), pictures) == ARCH


def test_another_padding_is_no_architecture() -> None:
    with pytest.raises(UsageError, match="There is no architecture"):
        architectures.find(f"{ARCH}:padding=valid")


@pytest.mark.parametrize("weights", ["mobilenet_v2-imagenet", "mobilenet_v2-inat-birds"])
def test_real_weights_from_tensorflow_are_recognised(weights: str, real_data: Path) -> None:
    pictures = sorted((real_data / "birds8").glob("*/*"))
    file = real_data / "weights" / f"{weights}.safetensors"
    assert with_its_padding(ARCH, str(file), pictures) == TENSORFLOWS
    body, _ = architectures.make_body(TENSORFLOWS)
    load_pretrained(body, TENSORFLOWS, str(file))
