"""The median stopping rule by hand-worked numbers, and the callback in a fit."""

import copy
import json
import types

import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.tuning.median_stopping import MedianStopping, is_worse_than_median

OTHERS = [[-5.0, -4.0, -3.0], [-6.0, -2.0, -2.0], [-4.0, -3.5]]


@pytest.mark.parametrize(
    ("curve", "trials", "worse"),
    [
        ([-5.5], 3, True),  # median -5
        ([-5.0], 3, False),  # equal is not worse
        ([-4.5, -3.6], 3, True),  # median -3.5
        ([-4.5, -3.4], 3, False),
        ([-9.0, -9.0, -9.0], 3, False),  # two curves reach the third epoch
        ([-9.0, -9.0, -9.0], 2, True),  # median -2.5
        ([-9.0, -9.0, -9.0, -9.0], 1, False),
    ],
)
def test_the_rule(curve, trials, worse):
    assert is_worse_than_median(curve, OTHERS, trials) == worse


def run(callback, values, name="val_log_likelihood", first=0):
    """The epochs that a fit with these values would run."""
    callback.set_model(types.SimpleNamespace(stop_training=False))
    for epoch, value in enumerate(values):
        callback.on_epoch_end(first + epoch, {name: value})
        if callback.model.stop_training:
            break
    callback.on_train_end()
    return epoch + 1


def test_poor_trials_end_early_and_good_ones_do_not(tmp_path):
    callback = MedianStopping(tmp_path, warm_up=1, trials=2)
    assert run(copy.deepcopy(callback), [-5.0, -4.0, -3.0]) == 3
    assert run(copy.deepcopy(callback), [-6.0, -5.0, -4.0]) == 3  # one trial has ended: too few
    assert run(copy.deepcopy(callback), [-9.0, -6.0, -1.0]) == 2  # median -4.5 in the second epoch
    assert run(copy.deepcopy(callback), [-4.0, -7.0, -7.0]) == 3  # its best so far counts, not its last
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_the_direction_of_a_loss(tmp_path):
    for _ in range(2):
        assert run(MedianStopping(tmp_path, "val_loss", warm_up=0, trials=2), [3.0, 2.0], "val_loss") == 2
    assert run(MedianStopping(tmp_path, "val_loss", warm_up=0, trials=2), [3.5, 2.0], "val_loss") == 1
    assert run(MedianStopping(tmp_path, "val_loss", warm_up=0, trials=2), [2.5, 1.0], "val_loss") == 2


def test_epochs_of_the_unlabelled_clock_do_not_count(tmp_path):
    callback = MedianStopping(tmp_path, first_epoch=2, name="7")
    run(callback, [-90.0, -80.0, -5.0, -6.0])
    assert json.loads((tmp_path / "7.json").read_text()) == [-5.0, -5.0]


def test_a_retried_trial_goes_on_and_does_not_compare_with_itself(tmp_path):
    (tmp_path / "7.json").write_text("[-1.0, -1.0, -1.0]")
    callback = MedianStopping(tmp_path, warm_up=0, trials=1, name="7", history=[-5.0])
    assert run(callback, [-9.0, float("nan")], first=1) == 2
    assert json.loads((tmp_path / "7.json").read_text()) == [-5.0, -5.0, -5.0]


def test_what_it_refuses(tmp_path):
    with pytest.raises(InputError, match="trials must be at least 1"):
        MedianStopping(tmp_path, trials=0)
    with pytest.raises(InputError, match="objective must be one of"):
        MedianStopping(tmp_path, "accuracy")
