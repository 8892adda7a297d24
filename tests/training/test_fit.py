"""The epoch loop, on the smallest network that has a backbone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from drive.core.errors import DivergedError, InputError
from drive.results.history import EpochResult, read_history
from drive.training.fit import averaged_weights, fit, kept_result
from drive.training.state import check_unchanged, read_state

Maker = Callable[..., object]
ABOUT = {"settings": {"seed": 0}}


def losses(history: list[EpochResult]) -> list[tuple[float, float]]:
    return [(row.loss, row.val_loss) for row in history]


def test_the_result_is_the_averaged_network_of_the_best_epoch(tiny: Maker, tmp_path: Path) -> None:
    course = tiny(epochs=4)
    result = fit(course, tmp_path, ABOUT)
    assert [row.epoch for row in result.history] == [1, 2, 3, 4]
    assert result.history == read_history(tmp_path / "history.csv")
    assert course.validation_loss(result.model) == pytest.approx(result.best.val_loss, rel=1e-5)
    assert result.best.val_loss == min(row.val_loss for row in result.history)
    assert not result.stopped_early


def test_each_step_has_its_rate_and_the_history_their_mean(tiny: Maker, tmp_path: Path) -> None:
    course = tiny(epochs=2)
    history = fit(course, tmp_path, ABOUT).history
    expected = [np.mean([course.rate(4 * epoch + i) for i in range(4)]) for epoch in range(2)]
    assert [row.learning_rate for row in history] == pytest.approx(expected)
    assert float(course.network.optimizer.learning_rate) == pytest.approx(course.rate(7))


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_resumed_training_ends_like_an_unbroken_one(
    tiny: Maker, tmp_path: Path, stop_after: int
) -> None:
    def stop(row: EpochResult) -> None:
        if row.epoch == stop_after:
            raise KeyboardInterrupt

    whole = fit(tiny(epochs=4, frozen_epochs=2), tmp_path / "whole", ABOUT)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(epochs=4, frozen_epochs=2), tmp_path / "broken", ABOUT, on_epoch=stop)
    course = tiny(epochs=4, frozen_epochs=2)
    course.network.set_weights([0 * array for array in course.network.get_weights()])
    resumed = fit(course, tmp_path / "broken", ABOUT, resume=True)
    np.testing.assert_allclose(losses(resumed.history), losses(whole.history), rtol=1e-5)
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_training_stopped_before_its_first_epoch_resumes_too(tiny: Maker, tmp_path: Path) -> None:
    course = tiny()
    state: list[int] = []

    def interrupted(*_: object, **__: object) -> None:
        state.append(len(read_state(tmp_path).history))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(course, tmp_path, ABOUT, progress=interrupted)
    assert state == [0]
    assert len(fit(course, tmp_path, ABOUT, resume=True).history) == 3


def test_the_backbone_keeps_its_weights_in_the_frozen_epochs_alone(
    tiny: Maker, tmp_path: Path
) -> None:
    course = tiny(epochs=3, frozen_epochs=2)
    kernels = [course.network.get_layer("backbone").get_weights()[0]]
    titles: list[str] = []

    def progress(batches: object, total: int | None = None, description: str = "") -> object:
        titles.append(description)
        return batches

    def note(_: EpochResult) -> None:
        kernels.append(course.network.get_layer("backbone").get_weights()[0])

    fit(course, tmp_path, ABOUT, progress=progress, on_epoch=note)
    changed = [not np.array_equal(a, b) for a, b in itertools.pairwise(kernels)]
    assert changed == [False, False, True]
    assert course.frozen_phases == [True, False]
    assert [", backbone frozen" in title for title in titles] == [True, True, False]
    assert [title.endswith("1 min to go") for title in titles] == [False, True, True]


def test_patience_counts_from_the_best_epoch_and_from_the_thaw(tiny: Maker, tmp_path: Path) -> None:
    worse = [1.0, *range(2, 12)]
    result = fit(tiny(epochs=9, patience=2, losses=worse), tmp_path / "a", ABOUT)
    assert (len(result.history), result.stopped_early) == (3, True)
    course = tiny(epochs=9, patience=2, frozen_epochs=3, losses=worse)
    result = fit(course, tmp_path / "b", ABOUT)
    assert (len(result.history), result.best.epoch) == (6, 1)


def test_without_validation_the_last_epoch_is_the_best(tiny: Maker, tmp_path: Path) -> None:
    result = fit(tiny(patience=1, losses=[None] * 3), tmp_path, ABOUT)
    assert (len(result.history), result.best.epoch, result.stopped_early) == (3, 3, False)
    assert all(math.isnan(row.val_loss) for row in result.history)


def test_a_training_that_diverges_keeps_its_best_epoch(tiny: Maker, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="validation loss is not finite in epoch 3") as caught:
        fit(tiny(losses=[2.0, 3.0, math.nan]), tmp_path, ABOUT)
    result, error = kept_result(tmp_path, "best.keras", caught.value)
    assert (len(result.history), result.best.epoch) == (2, 1)
    assert "not finite in epoch 3; epoch 1, the best before it, is kept" in str(error)


def test_a_training_that_diverges_at_once_leaves_nothing(tiny: Maker, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"loss is not finite .* tenth of the") as caught:
        fit(tiny(learning_rate=1e38), tmp_path, ABOUT)
    with pytest.raises(DivergedError, match="at step"):
        kept_result(tmp_path, "best.keras", caught.value)


def test_weights_are_averaged_inside_the_block_alone(tiny: Maker) -> None:
    course = tiny()
    model = course.compiled(frozen=False)
    for step in course.batches.epoch(0):
        model.train_on_batch(step.images, step.targets)
    before = model.get_weights()
    with averaged_weights(model):
        inside = model.get_weights()
    assert not np.allclose(inside[0], before[0])
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_some_settings_may_change(tmp_path: Path) -> None:
    before = {"seed": 0, "patience": 1}
    check_unchanged(tmp_path, before, {"seed": 0, "patience": 2}, ("patience",))
    with pytest.raises(InputError, match=r"except --patience; expected \{'seed': 0\}, got .* 1\}"):
        check_unchanged(tmp_path, before, {"seed": 1, "patience": 1}, ("patience",))
    with pytest.raises(InputError, match="there is no training to resume"):
        read_state(tmp_path)


def test_the_optimiser_is_resumed_with_its_moments(tiny: Maker, tmp_path: Path) -> None:
    fit(tiny(epochs=1), tmp_path, ABOUT)
    course = tiny(epochs=1)
    fit(course, tmp_path, ABOUT, resume=True)
    moments = [keras.ops.convert_to_numpy(v) for v in course.network.optimizer.variables]
    assert int(moments[0]) == 4  # steps
    assert any(np.abs(array).max() > 0 for array in moments[2:])
