from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.cli import main
from drive.cli.parser import build, make_parser, parse
from drive.core.errors import DivergedError, InputError
from drive.results.history import EpochResult
from drive.results.names import STUDY
from drive.results.search import TrialResult, best_trial
from drive.steering import tune
from drive.steering.cache import CachedRecording
from drive.steering.search_space import SEARCHED, Search, read_space, search_space, short, usual
from drive.steering.split import Split, split_recordings
from drive.steering.training_data import TrainingData
from drive.steering.training_settings import TrainingSettings
from drive.steering.tune import FEWEST_FOR_IMPORTANCE, Study
from drive.tasks.train_steering import TrainSteeringConfig

Maker = Callable[..., CachedRecording]
Losses = Callable[[TrainingSettings], Iterator[float]]
ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 3
BEST_RATE = 3e-4
FEW = ("learning_rate", "dropout", "batch")


@pytest.fixture(scope="module")
def split(make_drive: Maker) -> Split:
    return split_recordings([make_drive(f"t{n}/epoch01") for n in range(2)], "0.5")


def by_rate(settings: TrainingSettings) -> Iterator[float]:
    """Losses of a training that only its learning rate decides."""
    assert settings.learning_rate is not None
    away = abs(math.log10(settings.learning_rate / BEST_RATE))
    return (1 + away + 1 / epoch for epoch in range(1, settings.epochs + 1))


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch) -> Callable[[Losses], list[TrainingSettings]]:
    """Put in place of every training one that takes no time; returns what each was asked."""

    def put(losses: Losses = by_rate) -> list[TrainingSettings]:
        asked: list[TrainingSettings] = []

        def train(
            split: Split, folder: Path, settings: TrainingSettings, *, on_epoch: Any, **_: Any
        ) -> None:
            asked.append(settings)
            (folder / tune.CHECKPOINT).mkdir(parents=True)
            for epoch, loss in enumerate(losses(settings), 1):
                on_epoch(EpochResult(epoch, loss, loss, 1e-3, 0.1))

        monkeypatch.setattr(tune, "train_steering", train)
        return asked

    return put


def search(trials: int = 4, names: tuple[str, ...] = SEARCHED, seed: int = 0) -> Search:
    settings = short(TrainingSettings(seed=seed), EPOCHS)
    data = TrainingData(recordings=("a",), validation="0.2", crop="0.4,0.875", overrides={})
    return Search(
        settings=settings,
        space=search_space(settings, names),
        trials=trials,
        data=data,
        options={"stride": 1},
    )


def values(results: list[TrialResult]) -> list[dict[str, Any]]:
    return [result.values for result in results]


def test_the_first_trial_has_the_usual_settings_and_all_lie_in_the_space(
    split: Split, out: Path, teach: Callable
) -> None:
    asked = teach()
    wanted = search(9)
    results = Study.begin(out, wanted).run(split)
    assert len(results) == len(asked) == 9
    assert results[0].values == usual(wanted.settings, wanted.space)
    assert asked[0] == replace(wanted.settings, learning_rate=1e-3)
    for result in results:
        assert all(parameter.holds(result.values[parameter.name]) for parameter in wanted.space)
    best = best_trial(results)
    assert best is not None
    assert best.val_loss == min(result.val_loss for result in results)
    assert best.val_loss < results[0].val_loss
    assert best.best_epoch == EPOCHS


def test_what_is_not_searched_stays(split: Split, out: Path, teach: Callable) -> None:
    asked = teach()
    wanted = search(3, ("learning_rate",))
    Study.begin(out, wanted).run(split)
    assert len({settings.learning_rate for settings in asked}) == 3
    assert {replace(settings, learning_rate=None) for settings in asked} == {wanted.settings}


@pytest.mark.slow
def test_a_resumed_search_goes_on_as_an_unbroken_one(
    split: Split, tmp_path: Path, teach: Callable
) -> None:
    teach()
    unbroken = Study.begin(tmp_path / "unbroken", search(11, FEW)).run(split)
    Study.begin(tmp_path / "broken", search(2, FEW)).run(split)
    resumed = Study.resume(tmp_path / "broken", trials=11)
    assert resumed.search == search(11, FEW)
    assert values(resumed.run(split)) == values(unbroken)
    other = Study.begin(tmp_path / "other", search(2, FEW, seed=1)).run(split)
    assert values(other)[1] != values(unbroken)[1]


@pytest.mark.slow
def test_a_trial_that_was_broken_off_does_not_count_and_comes_again(
    split: Split, tmp_path: Path, teach: Callable
) -> None:
    asked = teach()
    unbroken = Study.begin(tmp_path / "unbroken", search(4)).run(split)
    asked.clear()

    def interrupted(settings: TrainingSettings) -> Iterator[float]:
        yield 1.0
        if len(asked) == 3:
            raise KeyboardInterrupt
        yield from list(by_rate(settings))[1:]

    folder = tmp_path / "broken"
    asked = teach(interrupted)
    with pytest.raises(KeyboardInterrupt):
        Study.begin(folder, search(4)).run(split)
    assert len(asked) == 3
    teach()
    study = Study.resume(folder)
    assert len(study.results()) == 2
    killed = study._propose(2).number  # as far as a trial comes that is killed
    state = folder / tune.TRIAL_FOLDERS / f"{killed:03d}" / tune.CHECKPOINT / "state.keras"
    state.parent.mkdir(parents=True)
    state.touch()
    study = Study.resume(folder)
    assert len(study.results()) == 2
    assert not state.exists()
    assert values(study.run(split)) == values(unbroken)
    left = {path.name for path in (folder / tune.TRIAL_FOLDERS).iterdir()}
    assert left == {f"{result.number:03d}" for result in study.results()}


@pytest.mark.slow
def test_a_poor_trial_is_cut_off_and_is_not_the_best(
    split: Split, out: Path, teach: Callable
) -> None:
    asked: list[TrainingSettings] = []

    def poorer_and_poorer(settings: TrainingSettings) -> Iterator[float]:
        return (len(asked) + 1 / epoch for epoch in range(1, EPOCHS + 1))

    asked = teach(poorer_and_poorer)
    results = Study.begin(out, search(8)).run(split)
    assert [result.outcome for result in results] == ["complete"] * 5 + ["pruned"] * 3
    assert [result.epochs for result in results] == [EPOCHS] * 5 + [2] * 3
    assert best_trial(results) == results[0]


def test_a_trial_that_diverges_counts_but_is_never_the_best(
    split: Split, out: Path, teach: Callable
) -> None:
    asked: list[TrainingSettings] = []

    def diverging(settings: TrainingSettings) -> Iterator[float]:
        yield 0.5
        if len(asked) == 1:
            raise DivergedError("The loss is no longer a number")
        if len(asked) == 2:
            raise DivergedError("The validation loss is no longer a number")
        yield 1.0

    asked = teach(diverging)
    results = Study.begin(out, search(3)).run(split)
    assert [result.outcome for result in results] == ["diverged", "diverged", "complete"]
    assert best_trial(results) == results[2]
    assert best_trial(results[:2]) is None


def test_the_time_ends_a_search_but_not_its_first_trial(
    split: Split, out: Path, teach: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = iter(range(1000))
    monkeypatch.setattr(tune.time, "monotonic", lambda: 60.0 * next(minute))
    teach()
    study = Study.begin(out, search(20))
    assert len(study.run(split, minutes=0.5)) == 1
    assert len(study.run(split, minutes=EPOCHS + 2)) == 2  # and of a third, one epoch
    assert len(Study.resume(out).results()) == 2
    with pytest.raises(InputError, match="minutes"):
        study.run(split, minutes=-1)


def test_other_frames_or_no_search_are_refused(
    split: Split, make_drive: Maker, tmp_path: Path, teach: Callable
) -> None:
    teach()
    study = Study.begin(tmp_path / "search", search(1))
    study.run(split)
    other = split_recordings([make_drive("x/1"), make_drive("y/1")], "0.5")
    with pytest.raises(InputError, match="recordings or their split"):
        Study.resume(tmp_path / "search", 2).run(other)
    with pytest.raises(InputError, match="no search to resume"):
        Study.resume(tmp_path)
    (tmp_path / STUDY).write_bytes(b"no database at all " * 100)
    with pytest.raises(InputError, match="not the file of a search"):
        Study.resume(tmp_path)


@pytest.mark.slow
def test_importance_names_what_decides(split: Split, out: Path, teach: Callable) -> None:
    teach(lambda settings: (loss for loss in list(by_rate(settings))[-1:]))
    study = Study.begin(out, search(FEWEST_FOR_IMPORTANCE - 1, FEW))
    study.run(split)
    assert study.importance() is None
    study = Study.resume(out, 16)
    study.run(split)
    shares = study.importance()
    assert shares is not None
    assert set(shares) == set(FEW)
    assert max(shares, key=shares.__getitem__) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1)


def test_a_space_survives_json_and_refuses_what_cannot_be_searched() -> None:
    space = search_space(TrainingSettings(optimizer="adadelta"))
    rows = json.loads(json.dumps([tune.asdict(parameter) for parameter in space]))
    assert read_space(rows) == space
    assert space[0].holds(1.0)
    for names in (("epochs",), ()):
        with pytest.raises(InputError, match="--search must be some of"):
            search_space(TrainingSettings(), names)


@pytest.fixture
def recording(
    make_recording: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_recording("town", np.sin(np.arange(160) / 9) * 5, fps=20)


def settings_of(config: Path) -> TrainingSettings:
    """What `train-steering --config` makes of a file."""
    parser = make_parser("train-steering", TrainSteeringConfig)
    given = parse(parser, TrainSteeringConfig, ["--config", str(config)])
    return TrainingSettings.from_options(build(TrainSteeringConfig, given))


@pytest.mark.slow
def test_the_command_searches_and_goes_on(
    recording: Path, tmp_path: Path, teach: Callable, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    options = ["--epochs", "1", "--validation", "0.25", "--variant", "published", "--no-balance"]
    asked = ["--trials", "2", "--seed", "3", "--json", "--out", str(out)]
    assert main(["tune-steering", str(recording), *options, *asked]) == 0
    output = capsys.readouterr()
    results = json.loads(output.out.splitlines()[-1])
    assert "optimistic" in output.err
    assert "optimistic" in results["note"]
    assert results["trials"] == results["complete"] == 2
    assert results["importance"] is None
    assert results["val_loss"] <= results["usual_val_loss"]
    assert {Path(results[name]).name for name in ("table", "config", "plot", "study")} == {
        "trials.csv",
        "best.toml",
        "search.png",
        "study.db",
    }
    assert not list(out.rglob("*.keras"))
    assert not (out / "report-data.js").exists()
    assert '"asked":2' in (out / "report.html").read_text()
    with (out / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1"]
    assert "variant" not in rows[0]
    assert min(float(row["val_loss"]) for row in rows) == results["val_loss"]

    settings = settings_of(out / "best.toml")
    assert (settings.variant, settings.balance, settings.seed) == ("published", False, 3)
    for name, value in results["best"].items():
        assert getattr(settings, name) == value
    assert tomllib.loads((out / "best.toml").read_text())["validation"] == "0.25"

    teach()
    again = ["tune-steering", "--resume", str(out), "--json", "--quiet"]
    assert main([*again, "--trials", "3"]) == 0
    output = capsys.readouterr()
    results = json.loads(output.out.splitlines()[-1])
    assert results["trials"] == 3
    assert not output.err
    record = json.loads((out / "run.json").read_text())
    assert record["training"]["balance"] is False
    assert record["data"]["validation"] == "0.25"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--trials", "0"], "--trials"),
        (["--epochs", "0"], "--epochs"),
        (["--search", "epochs"], "--search must be some of"),
        (["--search", "batch", "--batch", "8"], "batch"),
        (["--search", "batch_norm", "--backbone", "vgg16"], "--backbone"),
        (["--validation", "nowhere"], "there is no recording"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str], reason: str
) -> None:
    out = tmp_path / "out"
    assert main(["tune-steering", str(recording), *options, "--out", str(out), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_minutes_are_above_0(capsys: pytest.CaptureFixture) -> None:
    assert main(["tune-steering", "--minutes", "0"]) == 2
    assert "--minutes must be above 0; got 0" in capsys.readouterr().err


def test_a_resumed_search_is_asked_nothing_new(
    split: Split, out: Path, teach: Callable, capsys: pytest.CaptureFixture
) -> None:
    teach()
    Study.begin(out, search(1)).run(split)
    for option in (["--stride", "2"], ["--epochs", "3"], ["--batch", "32"]):
        assert main(["tune-steering", "--resume", str(out), *option]) == 2
        assert option[0] in capsys.readouterr().err


def test_with_a_backbone_the_settings_of_the_variants_are_not_searched(
    recording: Path, out: Path, teach: Callable
) -> None:
    asked = teach()
    options = ["--backbone", "resnet50", "--backbone-weights", "none", "--trials", "1", "--quiet"]
    assert main(["tune-steering", str(recording), *options, "--out", str(out)]) == 0
    assert asked[0].backbone == "resnet50"
    head = (out / "trials.csv").read_text().splitlines()[0].split(",")
    assert "learning_rate" in head
    assert not {"variant", "batch_norm"} & set(head)
    config = tomllib.loads((out / "best.toml").read_text())
    assert config["backbone-weights"] == "none"


@pytest.mark.slow
def test_an_interrupted_search_leaves_its_finished_trials_and_a_hint(
    recording: Path, out: Path, teach: Callable, capsys: pytest.CaptureFixture
) -> None:
    asked: list[TrainingSettings] = []

    def interrupted(settings: TrainingSettings) -> Iterator[float]:
        if len(asked) == 3:
            raise KeyboardInterrupt
        return by_rate(settings)

    asked = teach(interrupted)
    assert main(["tune-steering", str(recording), "--out", str(out)]) == 130
    assert f"finished trials are kept; resume with --resume {out}\n" in capsys.readouterr().err
    assert len((out / "trials.csv").read_text().splitlines()) == 3
    assert (out / "best.toml").exists()
    assert (out / "search.png").exists()
    assert '"stopped":true' in (out / "report.html").read_text()
    assert main(["tune-steering", "--resume", str(out), "--trials", "2", "--no-report"]) == 0


@pytest.mark.slow
def test_a_search_killed_in_a_trial_goes_on(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    options = ["--epochs", "2", "--trials", "50", "--quiet", "--out", str(out)]
    command = [sys.executable, str(ROOT / "run.py"), "tune-steering", str(recording), *options]
    process = subprocess.Popen(command)
    try:
        while not (out / tune.TRIAL_FOLDERS / "001" / "history.csv").exists():
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert main(["tune-steering", "--resume", str(out), "--trials", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["complete"] == 2
    with (out / "trials.csv").open() as file:
        assert [row["trial"] for row in csv.DictReader(file)] == ["0", "2"]


def test_a_stopped_search_is_not_overwritten_unasked(
    split: Split, recording: Path, out: Path, teach: Callable, capsys: pytest.CaptureFixture
) -> None:
    teach()
    Study.begin(out, search(1)).run(split)
    assert main(["tune-steering", str(recording), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
