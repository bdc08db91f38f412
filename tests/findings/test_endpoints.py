"""Computation: each endpoint, one number a run, worked by hand and by plain loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.finding import ARTICLE, MEASURES, Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import StoreError
from harness.findings.endpoints import ENDPOINTS, endpoint_of
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.measures import (
    epochs_to_threshold,
    last_accuracy,
    last_gap,
    last_log_error,
    loss_climbed,
    sign_flip_rate,
)

Ending = dict[str, Any]
FramesOf = Callable[..., StudyFrames]
Key = tuple[str, int, int]

STUDY = Study(
    name="two",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=3,
    epochs=7,
)


def told(values: pd.DataFrame) -> dict[Key, float]:
    """An endpoint's values by variant, cell and seed; each run stands once."""
    assert list(values.columns) == ["variant", "cell", "seed", "value"]
    found = {(v, int(c), int(s)): float(x) for v, c, s, x in values.itertuples(index=False)}
    assert len(found) == len(values)
    return found


def by_run(endings: dict[tuple[str, int], Ending]) -> Callable[[Run], Ending | None]:
    return lambda run: endings.get((run.cell.variant, run.seed))


def turning(path: Sequence[float]) -> list[bool]:
    """Whether each update of a weight but the first has the other sign than the one before."""
    updates = [after - before for before, after in itertools.pairwise(path)]
    return [min(one, other) < 0 < max(one, other) for one, other in itertools.pairwise(updates)]


def test_accuracy_is_the_last_one_and_a_diverged_run_counts_as_chance(frames_of: FramesOf) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"accuracy": 0.9},
        ("plain", 1): {"accuracy": 0.7, "status": "diverged"},
        ("plain", 2): {"accuracy": 0.8, "status": "failed"},
        ("bn", 0): {"accuracy": 0.95},
        ("bn", 1): {"accuracy": None, "status": "diverged"},
        ("bn", 2): {"status": "timeout"},
    }
    expected = {("plain", 0, 0): 0.9, ("plain", 0, 1): 0.1, ("bn", 0, 0): 0.95, ("bn", 0, 1): 0.1}
    assert told(last_accuracy(frames_of(STUDY, by_run(endings)))) == expected


@pytest.mark.parametrize("classes", [2, 4, 10, 100])
def test_chance_is_one_over_the_number_of_classes(classes: int, frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda _: {"status": "diverged"}, classes=classes)
    assert set(told(last_accuracy(frames)).values()) == {1 / classes}


@pytest.mark.parametrize("day", [1, 3], ids=["an earlier call", "a later call"])
@pytest.mark.parametrize("call_id", ["000", "fff"])
def test_chance_is_that_of_the_data_on_which_the_runs_were_trained(
    day: int,
    call_id: str,
    write_run: Callable[..., None],
    write_call: Callable[..., None],
    runs_of: Callable[[Study], list[Run]],
    tmp_path: Path,
) -> None:
    """The folder also holds a call on other data (`--set dataset=...`), with 100 classes."""
    for run in runs_of(STUDY):
        write_run(tmp_path, STUDY, run, {"status": "diverged", "call_id": "aaa"})
    write_call(tmp_path, call_id=call_id, classes=100, day=day)
    write_call(tmp_path, call_id="aaa", classes=10, day=2)
    assert set(told(last_accuracy(load_frames(STUDY, tmp_path))).values()) == {0.1}


def test_without_provenance_chance_is_not_known_but_accuracy_is(
    write_run: Callable[..., None], runs_of: Callable[[Study], list[Run]], tmp_path: Path
) -> None:
    for run in runs_of(STUDY):
        write_run(tmp_path, STUDY, run, {"accuracy": 0.75})
    assert set(told(last_accuracy(load_frames(STUDY, tmp_path))).values()) == {0.75}
    write_run(tmp_path, STUDY, runs_of(STUDY)[0], {"status": "diverged", "attempt": 2})
    frames = load_frames(STUDY, tmp_path)
    with pytest.raises(StoreError) as caught:
        last_accuracy(frames)
    assert caught.value.received == "no provenance beside the runs of 'two'"
    assert "stand in `provenance`" in caught.value.rule
    assert "bring the folder `provenance`" in caught.value.remedy


def test_a_run_that_never_reaches_the_threshold_is_censored_at_the_last_epoch(frames_of: FramesOf) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"threshold": 3},
        ("plain", 1): {"threshold": None},
        ("plain", 2): {"threshold": None, "status": "diverged"},
        ("bn", 0): {"threshold": 0},
        ("bn", 1): {"threshold": 7},
        ("bn", 2): {"threshold": 2, "status": "failed"},
    }
    expected = {
        ("plain", 0, 0): 3.0,
        ("plain", 0, 1): 7.0,
        ("plain", 0, 2): 7.0,
        ("bn", 0, 0): 0.0,
        ("bn", 0, 1): 7.0,
    }
    assert told(epochs_to_threshold(frames_of(STUDY, by_run(endings)))) == expected


def test_runs_that_all_miss_the_threshold_are_all_censored(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda _: {"accuracy": 0.5})
    assert set(told(epochs_to_threshold(frames)).values()) == {7.0}


def test_a_run_that_diverged_after_the_threshold_counts_as_the_worst(frames_of: FramesOf) -> None:
    """A diverged run "counts as the worst value of the measure", here as for the other endpoints."""
    frames = frames_of(STUDY, lambda _: {"threshold": 2, "status": "diverged"})
    assert set(told(epochs_to_threshold(frames)).values()) == {7.0}


@pytest.mark.parametrize(
    ("path", "rate"),
    [
        ([0, 1, 0, 1], 1.0),  # + − +
        ([0, 1, 2, 3], 0.0),  # + + +
        ([3, 2, 1, 0], 0.0),  # − − −
        ([0, 1, 0, 1, 2], 2 / 3),  # + − + +
        ([0, 2, 1, 0, 1], 2 / 3),  # + − − +
        ([0, 1, 2, 1, 0], 1 / 3),  # + + − −
        ([5, 5, 5, 5], 0.0),  # at rest
        ([0, 1, 1, 0], 0.0),  # + 0 −: it rests before it goes back
        ([0, 1, 1, 1, 0, 1], 1 / 4),  # + 0 0 − +
        ([0, 0, 1, 0], 1 / 2),  # 0 + −
        ([0, 1, 0], 1.0),  # one pair of updates
    ],
)
def test_the_sign_flip_rate_is_the_one_worked_by_hand(
    path: list[float], rate: float, frames_of: FramesOf
) -> None:
    assert np.mean(turning(path)) == pytest.approx(rate)
    frames = frames_of(STUDY, lambda _: {"paths": {("conv1.weight", "0,0,0,0"): path}})
    assert told(sign_flip_rate(frames)) == pytest.approx(
        {(variant, 0, seed): rate for variant in ("plain", "bn") for seed in range(3)}
    )


def test_the_rate_of_a_run_is_the_mean_over_its_weights(frames_of: FramesOf) -> None:
    paths = {
        ("conv1.weight", "0,0,0,0"): [0, 1, 0, 1],  # 1
        ("conv1.weight", "0,0,0,1"): [0, 1, 2, 3],  # 0
        ("conv2.weight", "0,0,0,0"): [0, 1, 0, -1],  # + − −: 1/2
    }
    frames = frames_of(STUDY, lambda _: {"paths": paths})
    assert list(told(sign_flip_rate(frames)).values()) == pytest.approx([0.5] * 6)


def test_epochs_are_taken_in_their_order_and_ten_follows_nine(frames_of: FramesOf) -> None:
    path = [float(epoch) for epoch in range(13)]  # the rows are written out of order
    path[11] = 0.0  # ... 9, 10, 0, 12: + − +
    frames = frames_of(STUDY, lambda _: {"paths": {("conv1.weight", "0"): path}})
    assert list(told(sign_flip_rate(frames)).values()) == pytest.approx([2 / 11] * 6)


def test_a_weight_without_two_updates_has_no_rate(frames_of: FramesOf) -> None:
    short = frames_of(STUDY, lambda _: {"paths": {("conv1.weight", "0"): [0, 1]}})
    assert all(math.isnan(rate) for rate in told(sign_flip_rate(short)).values())


def test_a_diverged_run_turns_at_every_update_and_a_failed_one_has_no_rate(frames_of: FramesOf) -> None:
    steady = {("conv1.weight", "0"): [0.0, 1.0, 2.0, 3.0]}
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"paths": steady},
        ("plain", 1): {"paths": steady, "status": "diverged"},
        ("plain", 2): {"paths": steady, "status": "failed"},
        ("bn", 0): {"paths": steady},
        ("bn", 1): {"status": "diverged"},
        ("bn", 2): {"status": "oom"},
    }
    found = told(sign_flip_rate(frames_of(STUDY, by_run(endings))))
    assert found == {("plain", 0, 0): 0.0, ("plain", 0, 1): 1.0, ("bn", 0, 0): 0.0, ("bn", 0, 1): 1.0}


def test_runs_that_all_diverged_have_the_worst_values(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda _: {"status": "diverged", "paths": {("conv1.weight", "0"): [0, 1]}})
    keys = {(variant, 0, seed) for variant in ("plain", "bn") for seed in range(3)}
    for measure, worst in ((last_accuracy, 0.1), (epochs_to_threshold, 7.0), (sign_flip_rate, 1.0)):
        assert told(measure(frames)) == dict.fromkeys(keys, worst)


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_runs_that_recorded_no_weights_have_no_rate_or_the_worst(status: str, frames_of: FramesOf) -> None:
    """All runs failed, or the user's network has no convolution: there is no table of weights."""
    found = told(sign_flip_rate(frames_of(STUDY, lambda _: {"status": status})))
    assert set(found.values()) == (set() if status == "failed" else {1.0})


def test_the_endpoints_agree_with_plain_loops_on_a_grid(frames_of: FramesOf) -> None:
    study = Study(
        name="grid",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(Factor("lr", (0.01, 0.1)),),
        seeds=6,
        epochs=5,
    )
    random = np.random.default_rng(3)
    endings: dict[tuple[str, int, int], Ending] = {}

    def ending_of(run: Run) -> Ending:
        cell = (0.01, 0.1).index(float(run.cell.levels["lr"]))
        places = [("conv1.weight", "0,0,0,0"), ("conv2.weight", "0,0,0,0"), ("conv2.weight", "1,0,2,2")]
        ending = {
            "status": str(random.choice(["completed", "completed", "completed", "diverged", "failed"])),
            "accuracy": float(random.uniform(0.5, 1)),
            "threshold": None if random.random() < 0.3 else int(random.integers(0, 6)),
            "paths": {place: random.integers(-2, 3, 6).astype(float).tolist() for place in places},
        }
        if ending["status"] == "diverged":
            ending["threshold"] = None
        endings[run.cell.variant, cell, run.seed] = ending
        return ending

    frames = frames_of(study, ending_of)
    assert {ending["status"] for ending in endings.values()} == {"completed", "diverged", "failed"}
    accuracy, epochs, rate = {}, {}, {}
    for key, ending in endings.items():
        if ending["status"] == "failed":
            continue
        fine = ending["status"] == "completed"
        accuracy[key] = ending["accuracy"] if fine else 0.1
        epochs[key] = 5.0 if ending["threshold"] is None else float(ending["threshold"])
        turns = [np.mean(turning(path)) for path in ending["paths"].values()]
        rate[key] = float(sum(turns) / len(turns)) if fine else 1.0
    assert told(last_accuracy(frames)) == accuracy
    assert told(epochs_to_threshold(frames)) == epochs
    assert told(sign_flip_rate(frames)) == pytest.approx(rate)


def test_every_measure_that_a_finding_can_name_is_made_and_explained() -> None:
    assert tuple(ENDPOINTS) == MEASURES
    for endpoint in ENDPOINTS.values():
        assert endpoint.label
        assert endpoint.explanation.endswith(".")


def test_the_article_makes_three_claims_each_with_a_direction() -> None:
    assert [(finding.name, finding.endpoint, finding.better) for finding in ARTICLE] == [
        ("accuracy", "log_error", "lower"),
        ("convergence", "epochs_to_threshold", "lower"),
        ("smoothness", "gradient_cosine", "higher"),
    ]
    assert all(finding.family == "primary" and finding.margin is None for finding in ARTICLE)


def test_errors_are_counted_with_half_an_error_more_and_compared_as_logarithms(frames_of: FramesOf) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"accuracy": 0.924},
        ("plain", 1): {"status": "diverged"},
        ("plain", 2): {"status": "failed"},
        ("bn", 0): {"accuracy": 1.0},
        ("bn", 1): {"accuracy": 0.0},
    }
    # Of 1,000 test images: 76 wrong, 900 by chance, none, all.
    shares = {("plain", 0, 0): 76.5, ("plain", 0, 1): 900.5, ("bn", 0, 0): 0.5, ("bn", 0, 1): 1000.5}
    found = told(last_log_error(frames_of(STUDY, by_run(endings))))
    assert found == pytest.approx({key: math.log(errors / 1001) for key, errors in shares.items()}, rel=1e-12)


def test_errors_are_counted_among_the_images_that_a_run_was_tested_on(frames_of: FramesOf) -> None:
    """Of 1,000 test images all, 200, and more than there are."""
    study = replace(
        STUDY,
        variants=(Variant("plain"), Variant("few", test_images=200), Variant("many", test_images=5000)),
    )
    endings: dict[tuple[str, int], Ending] = {
        (variant, 0): {"accuracy": 0.9} for variant in ("plain", "few", "many")
    }
    found = told(last_log_error(frames_of(study, by_run(endings))))
    expected = {"plain": 100.5 / 1001, "few": 20.5 / 201, "many": 100.5 / 1001}
    assert found == pytest.approx({(name, 0, 0): math.log(share) for name, share in expected.items()})


def test_a_gap_is_between_probe_and_test_images_and_a_diverged_run_has_none(frames_of: FramesOf) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"accuracy": 0.75, "probe": 1.0},
        ("bn", 0): {"accuracy": 0.5, "probe": 0.25},
        ("bn", 1): {"status": "diverged", "accuracy": 0.1, "probe": 0.1},
    }
    assert told(last_gap(frames_of(STUDY, by_run(endings)))) == {("plain", 0, 0): 0.25, ("bn", 0, 0): -0.25}


@pytest.mark.parametrize(("better", "worst"), [("lower", 0.75), ("higher", 0.25)])
def test_any_column_of_the_curves_is_an_endpoint_and_divergence_its_worst_value(
    better: Literal["lower", "higher"], worst: float, frames_of: FramesOf
) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"loss": 0.75},
        ("plain", 1): {"loss": 0.5},
        ("bn", 0): {"loss": 0.25},
        ("bn", 1): {"status": "diverged", "loss": math.nan},
        ("bn", 2): {"status": "failed", "loss": 9.0},
    }
    finding = Finding("loss", claim="the loss is lower", endpoint="test:loss", better=better)
    endpoint = endpoint_of(finding)
    assert endpoint.label == "loss on the test images after the last epoch"
    assert told(endpoint.measure(frames_of(STUDY, by_run(endings)))) == {
        ("plain", 0, 0): 0.75,
        ("plain", 0, 1): 0.5,
        ("bn", 0, 0): 0.25,
        ("bn", 0, 1): worst,
    }


def judged(endpoint: str, better: Literal["lower", "higher"], frames: StudyFrames) -> dict[Key, float]:
    """An endpoint's values as a finding on it takes them."""
    return told(endpoint_of(Finding("x", claim="it is", endpoint=endpoint, better=better)).measure(frames))


@pytest.mark.parametrize(
    ("losses", "climbed"),
    [
        ([8.0, 4.0, 2.0, 1.0], 0.0),
        ([8.0, 4.0, 4.5, 2.0, 3.0, 1.0], 1.5),
        ([1.0, 2.0, 4.0], 3.0),  # from before training on
        ([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 4.0),
    ],
)
def test_the_loss_climbed_is_the_sum_of_its_rises(
    losses: list[float], climbed: float, frames_of: FramesOf
) -> None:
    frames = frames_of(STUDY, lambda _: {"probe_losses": losses, "loss": 99.0})
    assert set(told(loss_climbed(frames)).values()) == {climbed}


def test_the_loss_climbed_is_each_runs_own_and_ten_follows_nine(frames_of: FramesOf) -> None:
    study = Study("long", "?", "digits", STUDY.variants, seeds=4, epochs=12)
    random = np.random.default_rng(2)
    losses = {(v, s): random.exponential(size=13).tolist() for v in ("plain", "bn") for s in range(4)}
    frames = frames_of(study, lambda run: {"probe_losses": losses[run.cell.variant, run.seed]})
    expected = {
        (variant, 0, seed): sum(max(0.0, after - before) for before, after in itertools.pairwise(way))
        for (variant, seed), way in losses.items()
    }
    shuffled = replace(frames, curves=frames.curves.sample(frac=1, random_state=5))
    assert told(loss_climbed(frames)) == pytest.approx(expected)
    assert told(loss_climbed(shuffled)) == pytest.approx(expected)


@pytest.mark.parametrize(("better", "worst"), [("lower", 2.0), ("higher", 0.5)])
def test_a_diverged_run_climbed_as_much_as_the_worst_and_one_measured_once_has_no_climb(
    better: Literal["lower", "higher"], worst: float, frames_of: FramesOf
) -> None:
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): {"probe_losses": [1.0, 3.0, 2.0]},
        ("plain", 1): {"probe_losses": [1.0, 1.5]},
        ("bn", 0): {"probe_losses": [1.0, 9.0, math.nan], "status": "diverged"},
        ("bn", 1): {"probe_losses": [1.0]},
        ("bn", 2): {"probe_losses": [1.0, 7.0], "status": "failed"},
    }
    found = judged("loss_climbed", better, frames_of(STUDY, by_run(endings)))
    assert math.isnan(found.pop(("bn", 0, 1)))
    assert found == {("plain", 0, 0): 2.0, ("plain", 0, 1): 0.5, ("bn", 0, 0): worst}


def test_pairs_of_weights_are_one_number_a_run_and_a_diverged_run_is_the_worst(frames_of: FramesOf) -> None:
    def walking(*ways: Sequence[float]) -> Ending:
        return {"paths": {("conv1.weight", str(k)): way for k, way in enumerate(ways)}}

    zigzag, straight = [[0, 1, 2, 3], [0, 1, 0, 1]], [[0, 1, 2, 3], [0, 2, 4, 6]]
    endings: dict[tuple[str, int], Ending] = {
        ("plain", 0): walking(*zigzag),
        ("plain", 1): walking(*straight) | {"status": "diverged"},
        ("plain", 2): walking([0, 1, 2, 3]),
        ("bn", 0): walking(*straight),
    }
    frames = frames_of(STUDY, by_run(endings))
    tortuosity = judged("pair_tortuosity", "lower", frames)
    assert math.isnan(tortuosity.pop(("plain", 0, 2)))  # one weight is no pair
    longer = 3 * math.sqrt(2) / math.sqrt(10)
    assert tortuosity == pytest.approx({("plain", 0, 0): longer, ("plain", 0, 1): longer, ("bn", 0, 0): 1.0})
    cosine = judged("pair_cosine", "higher", frames)
    del cosine["plain", 0, 2]
    assert cosine == pytest.approx({("plain", 0, 0): 0.0, ("plain", 0, 1): 0.0, ("bn", 0, 0): 1.0}, abs=1e-12)


def test_a_column_that_no_run_has_measured_has_no_value(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, by_run({("plain", 0): {"loss": 0.75}}))
    endpoint = endpoint_of(Finding("f1", claim="it is better", endpoint="test:f1", better="higher"))
    assert math.isnan(told(endpoint.measure(frames))["plain", 0, 0])
