"""What a run may be told, what its config.json says of it, and what is refused."""

import json
from pathlib import Path

import pytest
from birds.errors import UsageError
from birds.models.runs import Run
from birds.train.dataset import Dataset
from birds.train.phases import make_phases
from birds.train.run_folders import settings_of
from birds.train.settings import Settings

BY_PHASE = {
    "epochs": (3, 7), "lr": (0.1,), "patience": (3,), "plateau_min_delta": (0.1, 0.05), "plateau_factor": (3.5, 7.5)
}  # fmt: skip

ADDED = (
    "optimizer",
    "momentum",
    "loss",
    "dropout",
    "normalise",
    "discriminant",
)  # by later versions of the same format


def config(**settings: object) -> dict:
    return Settings(**settings).config(Dataset([], [], ["a", "b"], None))


def test_settings_take_one_value_or_two_and_from_scratch_the_second_counts() -> None:
    head, fine_tune = make_phases(True, **BY_PHASE)
    assert (head.name, head.epochs, head.plateau_factor, head.lr) == ("head", 3, 3.5, 0.1)
    assert (fine_tune.name, fine_tune.epochs, fine_tune.plateau_factor, fine_tune.lr) == ("fine_tune", 7, 7.5, 0.1)
    (only,) = make_phases(False, **BY_PHASE)
    assert (only.name, only.epochs, only.plateau_min_delta) == ("fine_tune", 7, 0.05)


def test_no_epochs_for_the_second_phase_leave_the_head_phase_alone() -> None:
    (only,) = make_phases(True, **BY_PHASE | {"epochs": (3, 0)})
    assert only.name == "head"


def test_a_plateau_under_one_cycle_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="one-cycle schedule sets the learning rate again at every batch"):
        Settings(schedule="one-cycle", plateau_factor=(3.0,))
    assert Settings(schedule="one-cycle")


def test_under_one_cycle_nothing_stops_before_the_low_rates_unless_asked() -> None:
    phases = config(schedule="one-cycle", epochs=(12, 5))["phases"]
    assert [phase["patience"] for phase in phases] == [12, 5]
    phases = config(schedule="one-cycle", epochs=(12, 5), patience=(3,))["phases"]
    assert [phase["patience"] for phase in phases] == [3, 3]


def test_what_does_not_go_with_the_recipe_of_2024_is_off_in_it() -> None:
    names = ("feature_cache", "mirror", "calibrate", "averaging", "discriminant")
    ours = config(recipe="2024")
    assert [config()[name] for name in names] == [True] * 5
    assert [ours[name] for name in names] == [False] * 5
    assert not config(weights="none")["feature_cache"], "there is no frozen body"


def test_very_many_pictures_have_no_discriminant_unless_asked_for() -> None:
    few, many = (Dataset([Path("a.jpg")] * count, [], ["a", "b"], None) for count in (2000, 2001))
    assert Settings().config(few)["discriminant"]
    assert not Settings().config(many)["discriminant"]
    assert Settings(discriminant=True).config(many)["discriminant"]
    assert not Settings(discriminant=True, feature_cache=False).config(few)["discriminant"]


def test_the_recipe_of_2024_keeps_the_notebooks_settings_and_takes_none_of_ours() -> None:
    head, fine_tune = config(recipe="2024")["phases"]
    kept = ("epochs", "patience", "plateau_min_delta", "plateau_factor")
    assert [head[name] for name in kept] == [10, 3, 0.10, 3.5]
    assert [fine_tune[name] for name in kept] == [10, 3, 0.05, 7.5]
    with pytest.raises(UsageError, match=r"own course: --mixup, --cutmix cannot be given"):
        config(recipe="2024", mixup=(0.4,), cutmix=1.0)
    with pytest.raises(UsageError, match="own course: --discriminant cannot be given"):
        config(recipe="2024", discriminant=True)


def test_without_augmentation_nothing_is_left_to_chance() -> None:
    off = config(augment=False)
    assert not any(off[name] for name in ("flip", "crop", "colour", "rotate"))
    assert off["views"] == 0, "random views of the same picture would all be the same"
    assert config()["views"] == 6
    assert off["evaluation_size"] == off["size"] != config()["evaluation_size"], "things are shown at one size"


def test_who_never_saw_mirror_images_is_not_judged_by_them_unless_asked() -> None:
    assert config()["mirror"]
    assert not config(flip=False)["mirror"]
    assert not config(augment=False)["mirror"]
    assert config(flip=False, mirror=True)["mirror"]


def test_pictures_are_normalised_by_what_the_weights_expect_and_from_scratch_by_their_own() -> None:
    assert config()["normalise"] == "published"
    assert config(weights="none")["normalise"] == "computed"
    assert config(normalise="none")["normalise"] == "none"


def test_small_networks_are_trained_from_scratch_with_their_options_in_their_names() -> None:
    asked = config(arch="base_net", dropout=0.3, size=48)
    assert (asked["arch"], asked["weights"], asked["size"]) == ("base_net:size=48,dropout=0.3", "none", 48)
    assert asked["dropout"] is None, "it is in the name"
    assert config(arch="emoji_cnn", activation="sigmoid")["arch"] == "emoji_cnn:activation=sigmoid"
    assert config(arch="resnet18", dropout=0.5)["dropout"] == 0.5


def test_a_config_of_before_some_settings_means_what_it_did(tmp_path: Path) -> None:
    today = config(weights="imagenet", discriminant=False)
    before = {key: value for key, value in today.items() if key not in ADDED}
    assert len(before) == len(today) - len(ADDED)
    (tmp_path / "config.json").write_text(json.dumps({**before, "name": "old", "created_at": "", "choices": {}}))
    assert settings_of(Run(tmp_path)) == json.loads(json.dumps(today))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "adagrad"}, "no optimizer 'adagrad'"),
        ({"loss": "hinge"}, "no loss 'hinge'"),
        ({"normalise": "yes"}, "no way to normalise 'yes'"),
        ({"momentum": 1.0}, "--momentum is 1"),
        ({"dropout": -0.1}, "--dropout is -0.1"),
        ({"activation": "relu"}, "resnext50_32x4d has its own activation"),
        ({"arch": "base_net", "activation": "relu"}, r"base_net has no activation to set.*emoji_cnn has one"),
        ({"arch": "bird_cnn", "dropout": 0.1}, r"bird_cnn has no dropout to set.*base_net has one"),
        ({"arch": "emoji_cnn", "activation": "tanh"}, r"cannot be 'tanh'.*relu, sigmoid, softmax"),
        ({"arch": "base_net:dropout=0.2", "dropout": 0.1}, "in its name already"),
        ({"loss": "mse", "label_smoothing": (0.1,)}, "go with cross-entropy"),
        ({"loss": "focal", "cutmix": 1.0}, "go with cross-entropy"),
        ({"schedule": "one-cycle", "momentum": 0.8}, "sets the momentum at every batch"),
        ({"recipe": "2024", "optimizer": "sgd", "loss": "mse"}, "--optimizer, --loss cannot be given"),
        ({"recipe": "2024", "arch": "emoji_cnn"}, "torchvision's networks only"),
        ({"schedule": "cosine"}, "no schedule 'cosine'"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"label_smoothing": (0.95,)}, "--label-smoothing is 0.95"),
        ({"epochs": (0, 5)}, "--epochs is 0,5"),
        ({"views": -1}, "--views"),
        ({"batch_size": 1}, "--batch-size is 2 or more"),
    ],
)
def test_what_cannot_work_says_so(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        config(**settings)
