"""A tuned study, through the runner: the same budget for all, the same way whatever happens on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.search import Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import HarnessError, InputError
from harness.runner.events import Chosen, Event, Finished, Started
from harness.runner.options import Options
from harness.search import proposing
from harness.search.recorded import resolve, runs_ahead
from harness.search.tuning import run_tuned
from harness.store.ledger import open_ledger
from harness.store.results import Results
from tests.search.conftest import run
from tests.tables import assert_equal, frame

pytestmark = pytest.mark.slow

DONE = {"completed": 4}


def trained(events: list[Event]) -> list[str]:
    return [event.run_id for event in events if isinstance(event, Finished)]


def with_search(study: Study, **changes: Any) -> Study:
    assert study.search is not None
    return replace(study, search=replace(study.search, **changes))


@pytest.fixture
def growing(tuned_study: Study, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Study]:
    """A study of plain and one of the networks of the user's own, with six proposals of `growth`."""
    monkeypatch.syspath_prepend(project)
    monkeypatch.delenv("HARNESS_WORKER_SLOT", raising=False)  # left by a study trained in this process

    def make(name: str) -> Study:
        own = Variant(name, build=f"search_nets:{name}")
        search = Search(space={"growth": Range(2, 30), "lr": Range(0.01, 0.1)}, budget=6)
        return replace(tuned_study, variants=(Variant("plain"), own), search=search)

    return make


def test_the_tables_are_the_same_with_no_worker_one_and_two(tuned_study: Study, tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        assert run(tuned_study, tmp_path / str(workers), workers=workers)[0] == DONE
    assert_equal(tmp_path / "0" / "tuned", tmp_path / "1" / "tuned", tuned=True)
    assert_equal(tmp_path / "1" / "tuned", tmp_path / "2" / "tuned", tuned=True)


def test_every_variant_is_tuned_with_the_same_budget_and_the_best_is_tested(
    tuned_study: Study, tmp_path: Path
) -> None:
    run(tuned_study, tmp_path)
    runs, trials = frame(tmp_path / "tuned", "runs"), frame(tmp_path / "tuned", "trials")
    tuning, evaluation = runs[runs["stage"] == "tuning"], runs[runs["stage"] == "evaluation"]
    assert trials.groupby("variant").size().to_dict() == {"plain": 12, "bn": 12}
    assert tuning.groupby("variant").size().to_dict() == {"plain": 12, "bn": 12}
    assert set(tuning["seed"]) == {1_000_000}
    assert set(evaluation["seed"]) == {0, 1}
    for variant, rows in tuning.groupby("variant"):
        order = rows.assign(
            lr=[json.loads(settings)["lr"] for settings in rows["settings"]],
            batch_size=[json.loads(settings)["batch_size"] for settings in rows["settings"]],
        ).sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True])
        best = order.iloc[0]
        chosen = trials[(trials["variant"] == variant) & trials["chosen"]]
        assert json.loads(chosen["run_ids"].item()) == [best["run_id"]]
        assert json.loads(chosen["params"].item()) == {"lr": best["lr"], "batch_size": best["batch_size"]}
        for settings in map(json.loads, evaluation.loc[evaluation["variant"] == variant, "settings"]):
            assert (settings["lr"], settings["batch_size"]) == (best["lr"], best["batch_size"])


def test_quasi_random_proposals_are_the_same_for_both_variants(tuned_study: Study, tmp_path: Path) -> None:
    run(tuned_study, tmp_path)
    trials = frame(tmp_path / "tuned", "trials")
    by_number = trials[trials["number"] < 10].groupby("number")["params"].nunique()
    assert by_number.tolist() == [1] * 10


def test_only_evaluation_sees_the_test_images(tuned_study: Study, tmp_path: Path) -> None:
    run(tuned_study, tmp_path)
    runs, curves = frame(tmp_path / "tuned", "runs"), frame(tmp_path / "tuned", "curves")
    figures = [name for name in map(str, runs) if "test" in name]
    assert len(figures) == 4
    stages = runs.set_index("run_id")["stage"]
    assert runs.loc[runs["stage"] == "tuning", figures].isna().all().all()
    assert runs.loc[runs["stage"] == "evaluation", figures].notna().all().all()
    splits = curves.groupby(curves["run_id"].map(stages))["split"].unique().map(sorted).to_dict()
    assert splits == {
        "evaluation": ["probe", "test", "train", "validation"],
        "tuning": ["probe", "train", "validation"],
    }


def test_what_is_done_is_not_done_again(tuned_study: Study, tmp_path: Path) -> None:
    _, events = run(tuned_study, tmp_path)
    stages = [event.stage for event in events if isinstance(event, Started)]
    assert stages == ["tuning", "evaluation"]
    assert len(trained(events)) == 2 * 12 + 4
    counts, events = run(tuned_study, tmp_path)
    assert (counts, trained(events)) == (DONE, [])


@pytest.mark.parametrize("after", [1, 9, 21, 24, 25])
def test_an_interrupted_study_goes_on_as_if_nothing_had_been(
    after: int, tuned_study: Study, tmp_path: Path
) -> None:
    run(tuned_study, tmp_path / "calm")
    seen = 0

    def stop(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, Finished)
        if seen == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tuned(tuned_study, Options(results=tmp_path / "stopped", device="cpu", workers=0), stop)
    counts, events = run(tuned_study, tmp_path / "stopped")
    assert counts == DONE
    assert len(trained(events)) == 2 * 12 + 4 - after
    assert_equal(tmp_path / "calm" / "tuned", tmp_path / "stopped" / "tuned", tuned=True)


def test_lost_trials_are_proposed_again_and_lost_runs_trained_again(
    tuned_study: Study, tmp_path: Path
) -> None:
    run(tuned_study, tmp_path / "calm")
    run(tuned_study, tmp_path / "damaged")
    folder = tmp_path / "damaged" / "tuned"
    for path in sorted((folder / "trials").glob("*.parquet")):
        path.write_bytes(path.read_bytes()[:-9])
    counts, events = run(tuned_study, tmp_path / "damaged")
    assert (counts, trained(events)) == (DONE, [])
    assert len(list((folder / "trials").glob("*.damaged"))) == 2
    (joined,) = (folder / "runs").glob("joined-*.parquet")
    joined.write_bytes(joined.read_bytes()[:-9])
    _, events = run(tuned_study, tmp_path / "damaged")
    assert len(trained(events)) >= 2 * 12
    assert_equal(tmp_path / "calm" / "tuned", tmp_path / "damaged" / "tuned", tuned=True)


def test_proposals_that_were_made_stand_though_another_optuna_would_make_others(
    tuned_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(with_search(tuned_study, budget=10), tmp_path)
    before = frame(tmp_path / "tuned", "trials")
    monkeypatch.setattr(
        proposing, "propose", lambda *_, numbers, **__: [{"lr": 0.5, "batch_size": 4} for _ in numbers]
    )
    run(tuned_study, tmp_path)
    after = frame(tmp_path / "tuned", "trials")
    kept = after[after["number"] < 10].reset_index(drop=True)
    pd.testing.assert_series_equal(kept["params"], before["params"])
    assert set(after.loc[after["number"] >= 10, "params"]) == {'{"lr": 0.5, "batch_size": 4}'}


def test_a_study_that_grows_trains_only_what_is_new(tuned_study: Study, tmp_path: Path) -> None:
    run(with_search(tuned_study, budget=11), tmp_path)
    _, events = run(replace(with_search(tuned_study, budget=11), seeds=3), tmp_path)
    assert [run_id.split("-")[:2] for run_id in trained(events)] == [["plain", "s002"], ["bn", "s002"]]
    _, events = run(tuned_study, tmp_path)
    tuning = [run_id for run_id in trained(events) if "-s1000000-" in run_id]
    assert sorted(run_id.split("-")[0] for run_id in tuning) == ["bn", "plain"]
    wider = replace(tuned_study, variants=(*tuned_study.variants, Variant("gn", norm="group")))
    _, events = run(wider, tmp_path)
    assert {run_id.split("-")[0] for run_id in trained(events)} == {"gn"}
    assert len(trained(events)) == 12 + 2
    run(tuned_study, tmp_path / "whole")
    ours = frame(tmp_path / "tuned", "trials")
    pd.testing.assert_frame_equal(
        ours[ours["variant"] != "gn"].reset_index(drop=True), frame(tmp_path / "whole" / "tuned", "trials")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 1},
        {"settings": {"probe_size": 20, "validation": 0.25, "depth": 1, "width": 8}},
    ],
)
def test_another_declaration_has_a_search_of_its_own(
    changes: dict[str, Any], tuned_study: Study, tmp_path: Path
) -> None:
    run(with_search(tuned_study, budget=2), tmp_path)
    _, events = run(replace(with_search(tuned_study, budget=2), **changes), tmp_path)
    assert len(trained(events)) == 2 * 2 + 4
    assert frame(tmp_path / "tuned", "trials")["search"].nunique() == 4


def test_each_combination_of_levels_is_tuned_on_its_own(tuned_study: Study, tmp_path: Path) -> None:
    study = with_search(replace(tuned_study, factors=(Factor("dropout", (0.0, 0.5)),)), budget=3)
    counts, _ = run(study, tmp_path)
    assert counts == {"completed": 2 * 2 * 2}
    trials = frame(tmp_path / "tuned", "trials")
    assert trials.groupby(["variant", "levels"]).size().to_dict() == {
        (variant, f'{{"dropout": {rate}}}'): 3 for variant in ("bn", "plain") for rate in ("0.0", "0.5")
    }
    resolved = resolve(study, Results(tmp_path / "tuned"))
    assert [(choice.cell.variant, choice.cell.levels["dropout"]) for choice in resolved.choices] == [
        ("plain", 0.0),
        ("bn", 0.0),
        ("plain", 0.5),
        ("bn", 0.5),
    ]


def test_a_proposal_is_judged_by_the_mean_over_its_tuning_seeds(tuned_study: Study, tmp_path: Path) -> None:
    run(with_search(tuned_study, budget=3, repeats=3, metric="loss"), tmp_path)
    runs, trials = frame(tmp_path / "tuned", "runs"), frame(tmp_path / "tuned", "trials")
    losses = runs.set_index("run_id")["validation_loss"]
    for _, trial in trials.iterrows():
        ids = json.loads(trial["run_ids"])
        assert [run_id.split("-")[1] for run_id in ids] == ["s1000000", "s1000001", "s1000002"]
        assert trial["value"] == pytest.approx(losses[ids].mean(), rel=1e-12)
    best = trials.loc[trials.groupby("variant")["value"].idxmin(), "number"].tolist()
    assert trials.loc[trials["chosen"], "number"].tolist() == best


def test_pruned_proposals_train_for_fewer_epochs_and_the_best_to_the_end(
    tuned_study: Study, tmp_path: Path
) -> None:
    study = with_search(replace(tuned_study, epochs=4), budget=12, halving=2)
    run(study, tmp_path)
    runs, trials = frame(tmp_path / "tuned", "runs"), frame(tmp_path / "tuned", "trials")
    rungs = trials.groupby(["variant", "round", "rung", "epochs"]).size().to_dict()
    expected = {(0, 0, 1): 10, (0, 1, 2): 5, (0, 2, 4): 2, (1, 0, 2): 2, (1, 1, 4): 1}
    assert rungs == {(variant, *rung): n for variant in ("bn", "plain") for rung, n in expected.items()}
    for _, trial in trials.iterrows():
        (run_id,) = json.loads(trial["run_ids"])
        assert runs.loc[runs["run_id"] == run_id, "epochs"].item() == trial["epochs"]
    first = trials[(trials["round"] == 0) & (trials["variant"] == "bn")]
    order = first[first["rung"] == 0].sort_values(
        ["validation_accuracy", "validation_loss"], ascending=[False, True]
    )
    assert sorted(order["number"].head(5)) == first.loc[first["rung"] == 1, "number"].tolist()
    assert set(trials.loc[trials["chosen"], "epochs"]) == {4}


def test_failures_count_against_the_budget_of_their_variant(
    growing: Callable[[str], Study], tmp_path: Path
) -> None:
    study = growing("picky")
    counts, _ = run(study, tmp_path, workers=2)
    assert counts == DONE
    trials = frame(tmp_path / "tuned", "trials")
    own = trials[trials["variant"] == "picky"]
    grown = [json.loads(params)["growth"] > 16 for params in own["params"]]
    assert 0 < sum(grown) < 6
    assert own["state"].tolist() == ["failed" if too_much else "completed" for too_much in grown]
    assert own["value"].isna().tolist() == grown
    assert len(own) == len(trials) - len(own) == 6
    counts, events = run(study, tmp_path, workers=1)
    assert trained(events) == []
    # Once something is evaluated the choice stands.
    counts, events = run(study, tmp_path, workers=1, retry_failed=True)
    assert (counts, trained(events)) == (DONE, [])


def test_the_engine_of_a_search_is_the_engine_of_the_evaluation(tuned_study: Study, tmp_path: Path) -> None:
    study = with_search(tuned_study, budget=4)
    counts, events = run(study, tmp_path, engine="fused")
    assert counts == DONE
    assert {row["engine"] for row in frame(tmp_path / "tuned", "runs").to_dict("records")} == {"fused"}
    _, events = run(replace(study, seeds=3), tmp_path)
    (chosen,) = (event.choice for event in events if isinstance(event, Chosen))
    assert (chosen.engine, chosen.why) == ("fused", "as the finished runs of this study")


def test_a_setting_that_may_be_proposed_and_fits_no_pack_makes_the_whole_search_solo(
    tuned_study: Study, tmp_path: Path
) -> None:
    space = {"lr": Range(0.01, 0.1), "optimizer": ("SGD", "Adam")}
    study = with_search(tuned_study, space=space, budget=1)
    with pytest.raises(InputError, match=r"--engine fused, but 'plain' can't be fused: [^\n]* not by Adam"):
        run(study, tmp_path, engine="fused")
    assert not (tmp_path / "tuned" / "provenance").exists()


def test_a_variant_without_any_outcome_is_told_and_can_be_tried_again(
    growing: Callable[[str], Study], tmp_path: Path
) -> None:
    study = growing("hopeless")
    told = (
        r"all 6 tuning runs of variant 'hopeless' failed, the first with: RuntimeError: it has grown too much"
    )
    for again, count in ((False, 12), (False, 0), (True, 6)):
        events: list[Event] = []
        options = Options(results=tmp_path, device="cpu", workers=1, retry_failed=again)
        with pytest.raises(HarnessError, match=rf"{told}[\s\S]*--retry-failed` tries them again"):
            run_tuned(study, options, events.append)
        assert len(trained(events)) == count
    assert set(frame(tmp_path / "tuned", "runs")["stage"]) == {"tuning"}
    with pytest.raises(HarnessError, match=told):
        resolve(study, Results(tmp_path / "tuned"))


def test_a_failure_that_is_tried_again_changes_no_proposal_and_no_budget(
    growing: Callable[[str], Study], tmp_path: Path, project: Path
) -> None:
    study = with_search(growing("moody"), budget=12)
    (project / "moody").touch()
    with pytest.raises(KeyboardInterrupt):
        run_tuned(study, Options(results=tmp_path, device="cpu", workers=1), _stop_at("evaluation"))
    before = frame(tmp_path / "tuned", "trials")
    failed = before[before["state"] == "failed"]
    assert set(failed["variant"]) == {"moody"}
    assert 0 in set(failed["round"])
    (project / "moody").unlink()
    counts, events = run(study, tmp_path, workers=1, retry_failed=True)
    assert counts == DONE
    tried = [run_id for run_id in trained(events) if "-s1000000-" in run_id]
    assert sorted(tried) == sorted(json.loads(ids)[0] for ids in failed["run_ids"])
    after = frame(tmp_path / "tuned", "trials")
    pd.testing.assert_frame_equal(after[["number", "params"]], before[["number", "params"]])
    assert set(after["state"]) == {"completed"}


def _stop_at(stage: str) -> Callable[[Event], None]:
    def stop(event: Event) -> None:
        if isinstance(event, Started) and event.stage == stage:
            raise KeyboardInterrupt

    return stop


def test_one_proposal_that_can_not_be_built_does_not_stop_the_others(
    growing: Callable[[str], Study], tmp_path: Path
) -> None:
    study = growing("refused")
    assert run(study, tmp_path, workers=1)[0] == DONE
    trials = frame(tmp_path / "tuned", "trials")
    states = trials[trials["variant"] == "refused"].set_index("number")["state"]
    grown = [json.loads(p)["growth"] > 16 for p in trials.loc[trials["variant"] == "refused", "params"]]
    assert (states == "failed").tolist() == grown
    assert any(grown)


def test_a_call_that_goes_on_with_a_proposal_that_can_not_be_built_is_no_different(
    growing: Callable[[str], Study], tmp_path: Path
) -> None:
    study = growing("refused")
    run(study, tmp_path / "calm", workers=1)
    trials = frame(tmp_path / "calm" / "tuned", "trials")
    failed = int(trials.loc[trials["state"] == "failed", "number"].max())
    for budget in (failed, failed + 1, 6):
        run(with_search(study, budget=budget), tmp_path / "stopped", workers=1)
    pd.testing.assert_frame_equal(
        frame(tmp_path / "stopped" / "tuned", "trials").drop(columns="chosen"), trials.drop(columns="chosen")
    )


def test_a_search_in_which_nothing_can_be_built_is_refused_before_anything_is_written(
    tuned_study: Study, tmp_path: Path
) -> None:
    gn = Variant("gn", norm="group", groups=3)
    study = replace(tuned_study, variants=(Variant("plain"), gn))
    with pytest.raises(InputError, match=r"width = 4, groups = 3[\s\S]*groups divides width"):
        run(study, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_only_trains_one_tuning_run_and_does_not_record_a_finished_one_again(
    tuned_study: Study, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"--only nobody[\s\S]*while the search goes on, one of its proposals"
    ):
        run(tuned_study, tmp_path, only="nobody")
    run(tuned_study, tmp_path)
    before = frame(tmp_path / "tuned", "runs")
    target = before.loc[before["stage"] == "tuning", "run_id"].iloc[3]
    counts, events = run(tuned_study, tmp_path, only=target)
    assert (counts, trained(events)) == ({"missing": 4}, [target])
    target = before.loc[before["stage"] == "evaluation", "run_id"].iloc[0]
    assert trained(run(tuned_study, tmp_path, only=target)[1]) == [target]
    with pytest.raises(InputError, match=r"--only nobody[\s\S]*names a run of the study"):
        run(tuned_study, tmp_path, only="nobody")
    pd.testing.assert_frame_equal(frame(tmp_path / "tuned", "runs"), before)


def test_what_lies_ahead_is_known_before_and_nothing_is_left_in_the_end(
    tuned_study: Study, tmp_path: Path
) -> None:
    results = Results(tmp_path / "tuned")
    ahead = runs_ahead(tuned_study, results, ledger=open_ledger(tuned_study, results))
    assert [run.stage for run in ahead] == ["tuning"] * 24 + ["evaluation"] * 4
    with pytest.raises(InputError, match=r"has not chosen yet: 0 of 24 proposals[\s\S]*`harness run tuned`"):
        resolve(tuned_study, results)
    run(tuned_study, tmp_path)
    assert runs_ahead(tuned_study, results, ledger=open_ledger(tuned_study, results)) == []
    assert len(resolve(tuned_study, results).choices) == 2


def test_proposals_on_a_small_grid_repeat_and_share_their_runs(tuned_study: Study, tmp_path: Path) -> None:
    search = Search(space={"batch_size": (4, 8)}, budget=5, sampler="qmc")
    study = replace(tuned_study, search=search, settings={**tuned_study.settings, "lr": 0.1})
    _, events = run(study, tmp_path)
    assert len([run_id for run_id in trained(events) if "-s1000000-" in run_id]) == 2 * 2
    trials = frame(tmp_path / "tuned", "trials")
    assert len(trials) == 2 * 5
    assert trials.groupby(["variant", "params"])["value"].nunique().tolist() == [1] * 4
