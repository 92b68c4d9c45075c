"""What a run may be told, what its config.json says of it, and what is refused."""

import pytest
from birds.errors import UsageError
from birds.train.dataset import Dataset
from birds.train.phases import make_phases
from birds.train.settings import Settings

BY_PHASE = {
    "epochs": (3, 7), "lr": (0.1,), "patience": (3,), "plateau_min_delta": (0.1, 0.05), "plateau_factor": (3.5, 7.5)
}  # fmt: skip


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
    names = ("feature_cache", "mirror", "calibrate", "averaging")
    ours = config(recipe="2024")
    assert [config()[name] for name in names] == [True] * 4
    assert [ours[name] for name in names] == [False] * 4
    assert not config(weights="none")["feature_cache"], "there is no frozen body"


def test_the_recipe_of_2024_keeps_the_notebooks_settings_and_takes_none_of_ours() -> None:
    head, fine_tune = config(recipe="2024")["phases"]
    kept = ("epochs", "patience", "plateau_min_delta", "plateau_factor")
    assert [head[name] for name in kept] == [10, 3, 0.10, 3.5]
    assert [fine_tune[name] for name in kept] == [10, 3, 0.05, 7.5]
    with pytest.raises(UsageError, match=r"own course: --mixup, --cutmix cannot be given"):
        config(recipe="2024", mixup=(0.4,), cutmix=1.0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
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
