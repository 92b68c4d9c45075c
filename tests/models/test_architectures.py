"""Every family of torchvision's, and of timm's where it is installed. On the meta device: there are shapes only."""

from functools import cache

import pytest
import torch
from birds.errors import UsageError
from birds.models import architectures, small, timm_networks
from birds.models.architectures import Classifier, evaluation_size, find, make_body, make_head, names, parameter_groups
from birds.models.gate import torchvision
from torch import nn

MEMBERS = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_32",
    "wide_resnet50_2",
]  # fmt: skip
OF_TIMM = [
    "timm:test_resnet", "timm:test_vit", "timm:test_convnext", "timm:test_efficientnet", "timm:mobilenetv3_small_050",
    "timm:swin_tiny_patch4_window7_224", "timm:levit_128", "timm:tinynet_e", "timm:hieradet_small",
]  # fmt: skip


@pytest.fixture
def with_timm() -> None:
    pytest.importorskip("timm", reason='timm is not installed: pip install "birds[timm]"')


@cache
def body_of(name: str) -> tuple[nn.Module, int]:
    """A body without memory. RegNet works its widths out with tensors, so it has to be built first."""
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        body, features = make_body(name)
    return body.to("meta").eval(), features


def takes_its_evaluation_size(name: str) -> bool:
    body, features = body_of(name)
    side = evaluation_size(name, find(name).size)
    with torch.no_grad():
        return body(torch.zeros(2, 3, side, side, device="meta")).shape == (2, features)


def groups_cover_every_parameter_once(name: str) -> bool:
    body, features = body_of(name)
    model = Classifier(body, make_head(features, 3))
    groups = parameter_groups(model)
    in_groups = [id(parameter) for group in groups for parameter in group]
    return len(groups) == 3 and all(groups) and sorted(in_groups) == sorted(map(id, model.parameters()))


def test_no_family_of_torchvision_is_untested() -> None:
    def families(some: list[str]) -> set[str]:
        builders = (torchvision.models.get_model_builder(name) for name in some)
        return {builder.__module__ for builder in builders}

    assert families(MEMBERS) == families([name for name in names() if not small.is_one(name)])


@pytest.mark.parametrize("name", MEMBERS)
def test_every_family_gives_features_of_pictures_of_its_evaluation_size(name: str) -> None:
    assert takes_its_evaluation_size(name)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_family_falls_into_three_groups_that_cover_every_parameter_once(name: str) -> None:
    assert groups_cover_every_parameter_once(name)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_family_keeps_torchvisions_parameter_names_but_for_its_classifier(name: str) -> None:
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        published = torchvision.models.get_model(name, weights=None, **extra).state_dict()
    body, _ = body_of(name)
    own = body.state_dict()
    own.pop("classifier.0.mixtures", None)  # of SqueezeNet's pool, derived from the classifier
    assert own.keys() < published.keys()
    gone = {key.partition(".")[0] for key in published.keys() - own.keys()}
    assert gone <= architectures.head_names(body)
    assert all(tensor.shape == published[key].shape for key, tensor in own.items())


def test_a_vit_is_built_for_the_size_of_its_published_weights() -> None:
    assert find("vit_h_14").size == 518
    assert takes_its_evaluation_size("vit_h_14")


@pytest.mark.parametrize(
    ("name", "size", "evaluated_at"),
    [
        ("resnet50", 224, 256),
        ("resnet50", 64, 64),
        ("vit_b_16", 224, 224),
        ("maxvit_t", 224, 224),
        ("swin_t", 224, 256),
    ],
)
def test_whole_pictures_are_larger_where_the_network_takes_them(name: str, size: int, evaluated_at: int) -> None:
    assert evaluation_size(name, size) == evaluated_at


def test_each_knows_what_its_published_weights_expect() -> None:
    resnet, large = find("resnet50"), find("efficientnet_v2_l")
    assert (resnet.size, resnet.mean, resnet.std) == (224, architectures.IMAGENET_MEAN, architectures.IMAGENET_STD)
    assert (large.size, large.mean, large.std) == (480, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("wrong", "near"), [("resnext50", "resnext50_32x4d"), ("ResNet50", "resnet50"), ("mobilnet_v2", "mobilenet_v2")]
)
def test_an_unknown_name_brings_the_nearest_ones(wrong: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"no architecture '{wrong}'\. Did you mean .*{near}"):
        find(wrong)


# -- flip averaging


@pytest.fixture
def sided() -> Classifier:
    """A classifier that tells a picture from its mirror image."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten())
    return Classifier(body, nn.Linear(4 * 3 * 3, 2), mirror=True)


@torch.no_grad()
def test_mirror_gives_the_mean_of_both_ways_round_in_eval_mode(sided: Classifier) -> None:
    pictures = torch.rand(5, 3, 8, 8)
    plain = Classifier(sided.body, sided.head).eval()
    both_ways = (plain(pictures) + plain(pictures.flip(-1))) / 2  # the head is affine
    assert not torch.allclose(plain(pictures), both_ways, atol=1e-4)
    torch.testing.assert_close(sided.eval()(pictures), both_ways)


@torch.no_grad()
def test_mirror_leaves_training_and_the_names_of_parameters_alone(sided: Classifier) -> None:
    pictures = torch.rand(5, 3, 8, 8)
    plain = Classifier(sided.body, sided.head)
    torch.testing.assert_close(sided.train()(pictures), plain.train()(pictures))
    assert sided.state_dict().keys() == plain.state_dict().keys()


# -- timm


def test_without_timm_its_networks_say_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_networks, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r'pip install "birds\[timm\]"'):
        find("timm:resnet18")


@pytest.mark.usefixtures("with_timm")
@pytest.mark.parametrize("name", OF_TIMM)
def test_timms_networks_are_cut_grouped_and_sized_like_torchvisions(name: str) -> None:
    assert takes_its_evaluation_size(name)
    assert groups_cover_every_parameter_once(name)


@pytest.mark.usefixtures("with_timm")
def test_timm_says_what_its_weights_expect() -> None:
    vit, swin, levit = (find(name) for name in ("timm:test_vit", "timm:swin_tiny_patch4_window7_224", "timm:levit_128"))
    assert (vit.size, vit.mean) == (160, (0.5, 0.5, 0.5))
    assert (swin.size, swin.mean) == (224, architectures.IMAGENET_MEAN)
    assert all(evaluation_size(one.name, one.size) == one.size for one in (vit, swin, levit)), "of fixed size"
    assert 28.2 < (swin.parameters or 0) < 28.4  # million, as its paper has it


@pytest.mark.usefixtures("with_timm")
def test_weights_of_timm_may_be_named_by_their_tag() -> None:
    assert find("timm:resnet50.a3_in1k").size == 160
    with pytest.raises(UsageError, match=r"Did you mean timm:resnet50\.a1_in1k"):
        find("timm:resnet50.a")
