"""Two result sets of one study: what is found out of them is recomputed here by plain loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError
from harness.findings.comparison import Comparison, compare_sets, variant_of
from harness.findings.contrasts import Contrast
from harness.findings.sets import recorded_name, tables_of

Ending = dict[str, Any]
Write = Callable[..., Path]
SHA, OTHER_SHA = "a" * 64, "b" * 64
ACCURACY = Finding(name="acc", claim="accuracy is higher", endpoint="accuracy", better="higher")
LOSS = Finding(name="loss", claim="loss is lower", endpoint="test:loss", better="lower")


def study_of(*findings: Finding, **changes: Any) -> Study:
    """Plain against bn at two learning rates, 7 seeds."""
    given: dict[str, Any] = {"factors": (Factor("lr", (0.01, 0.1)),), "seeds": 7, "epochs": 2} | changes
    return Study(
        name="made-up",
        question="Is B what A is?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        findings=findings or (ACCURACY,),
        **given,
    )


def accuracy(name: str, run: Run) -> float:
    """B is better than A by an amount of its own in every run, most where the network is bn."""
    rate = run.cell.levels["lr"] == 0.1
    base = 0.8 + 0.01 * run.seed + 0.03 * rate + (0.05 if run.cell.variant == "bn" else 0.0)
    gain = 0.002 * (1 + run.seed % 3) + 0.001 * rate + (0.004 if run.cell.variant == "bn" else 0.0)
    return base + (gain if name == "B" else 0.0)


@pytest.fixture
def write(tmp_path: Path, write_runs_of: Callable[..., None], write_call: Callable[..., None]) -> Write:
    """Records a result set: every run that `ending_of` gives an ending."""

    def make(
        name: str,
        study: Study,
        ending_of: Callable[[Run], Ending | None] | None = None,
        *,
        sha256: str = SHA,
    ) -> Path:
        folder = tmp_path / name / study.name
        endings = ending_of or (lambda run: {"accuracy": accuracy(name, run)})
        write_runs_of(folder, study, ((run, endings(run)) for run in study.runs(sha256)))
        write_call(folder, findings=study.findings)
        return folder

    return make


def by_variant(contrasts: list[Contrast]) -> dict[str, Contrast]:
    return {variant_of(contrast): contrast for contrast in contrasts}


def mean(name: str, study: Study, variant: str, seed: int) -> float:
    """A seed's mean over the two learning rates."""
    runs = [run for run in study.runs(SHA) if (run.cell.variant, run.seed) == (variant, seed)]
    return sum(accuracy(name, run) for run in runs) / len(runs)


def sign_flip(values: list[float]) -> float:
    """The share of sign patterns at least as far from zero as the one that was seen."""
    seen = abs(sum(values)) - 1e-12
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(values))
    ]
    return sum(total >= seen for total in sums) / len(sums)


def both(write: Write, study: Study, **endings: Callable[[Run], Ending | None]) -> Comparison:
    folders = tuple(write(name, study, endings.get(name)) for name in ("A", "B"))
    return compare_sets(study, (folders[0], folders[1]))


def test_b_minus_a_is_paired_by_seed_and_averaged_over_levels(write: Write) -> None:
    study = study_of()
    found = by_variant(both(write, study).contrasts)
    assert set(found) == {"plain", "bn"}
    raw = {}
    for variant, contrast in found.items():
        expected = [mean("B", study, variant, s) - mean("A", study, variant, s) for s in range(7)]
        assert contrast.pairs["difference"].tolist() == pytest.approx(expected)
        assert contrast.test is not None
        assert contrast.interval is not None
        raw[variant] = sign_flip(expected)
        assert contrast.test.p == pytest.approx(raw[variant])
        low, high = stats.t.interval(0.95, 6, loc=np.mean(expected), scale=stats.sem(expected))
        assert contrast.interval.low == pytest.approx(low)
        assert contrast.interval.high == pytest.approx(high)
    assert raw["plain"] == raw["bn"] == 2 / 2**7
    # Holm over two equal p: both are doubled.
    assert [c.p_adjusted for c in found.values()] == [pytest.approx(4 / 2**7)] * 2
    assert [c.verdict for c in found.values()] == ["supported", "supported"]


def test_the_change_of_an_effect_is_the_difference_of_differences(write: Write) -> None:
    study = study_of()
    (change,) = both(write, study).changes
    effects = {
        name: [mean(name, study, "bn", s) - mean(name, study, "plain", s) for s in range(7)] for name in "AB"
    }
    assert change.pairs["baseline"].tolist() == pytest.approx(effects["A"])
    assert change.pairs["variant"].tolist() == pytest.approx(effects["B"])
    assert change.pairs["difference"].tolist() == pytest.approx([0.004] * 7)


def test_runs_find_each_other_though_code_and_names_have_changed(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of()
    first = write("A", study)
    monkeypatch.setattr("harness.design.run.NUMERICS", 99)
    second = write("B", study)
    found = compare_sets(study, (first, second))
    ids = [set(frames.runs["run_id"]) for frames in found.sides]
    assert not ids[0] & ids[1]
    assert [len(contrast.pairs) for contrast in found.contrasts] == [7, 7]


def test_each_family_of_findings_is_corrected_by_itself(write: Write) -> None:
    further = Finding(
        name="more", claim="accuracy is higher", endpoint="accuracy", better="higher", family="more"
    )
    found = both(write, study_of(ACCURACY, further))
    assert [c.p_adjusted for c in found.contrasts] == [pytest.approx(4 / 2**7)] * 4


def test_a_margin_is_tested_between_the_sets(write: Write) -> None:
    margin = Finding(name="acc", claim="it is higher", endpoint="accuracy", better="higher", margin=0.02)
    study = study_of(margin)
    found = by_variant(both(write, study).contrasts)
    raw = {}
    for variant in ("plain", "bn"):
        values = [mean("B", study, variant, s) - mean("A", study, variant, s) for s in range(7)]
        above = stats.ttest_1samp(values, -0.02, alternative="greater").pvalue
        below = stats.ttest_1samp(values, 0.02, alternative="less").pvalue
        raw[variant] = max(above, below)
    smaller, larger = sorted(raw, key=raw.__getitem__)
    assert found[smaller].equivalence_adjusted == pytest.approx(2 * raw[smaller])
    assert found[larger].equivalence_adjusted == pytest.approx(max(raw[larger], 2 * raw[smaller]))
    assert {contrast.verdict for contrast in found.values()} == {"equivalent"}


def test_a_diverged_run_counts_as_the_worst_of_both_sets(write: Write) -> None:
    def first(run: Run) -> Ending:
        if (run.cell.variant, run.seed) == ("plain", 0):
            return {"status": "diverged"}
        return {"accuracy": 0.9, "loss": 1.0}

    def second(run: Run) -> Ending:
        return {"accuracy": 0.9, "loss": 5.0 if run.seed == 6 else 1.0}

    found = by_variant(both(write, study_of(LOSS), A=first, B=second).contrasts)
    assert found["plain"].pairs["baseline"].tolist() == [5.0, 1, 1, 1, 1, 1, 1]


def test_a_seed_without_a_partner_in_some_combination_is_dropped(write: Write) -> None:
    def second(run: Run) -> Ending | None:
        if run.seed == 2 and run.cell.levels["lr"] == 0.1 and run.cell.variant == "bn":
            return None
        return {"status": "failed"} if run.seed == 4 else {"accuracy": accuracy("B", run)}

    found = both(write, study_of(), B=second)
    pairs = {name: (c.pairs.index.tolist(), c.dropped) for name, c in by_variant(found.contrasts).items()}
    assert pairs == {"plain": ([0, 1, 2, 3, 5, 6], 1), "bn": ([0, 1, 3, 5, 6], 2)}
    lonely = found.matches[found.matches["status_B"] != "completed"]
    assert len(lonely) == 1 + 4
    assert lonely["status_B"].isna().sum() == 1


def test_runs_are_equal_to_the_last_digit_or_not(write: Write) -> None:
    def nearly(run: Run) -> Ending:
        same = accuracy("A", run)
        return {"accuracy": math.nextafter(same, 1) if run.seed == 3 else same}

    matches = both(write, study_of(), B=nearly).matches
    assert len(matches) == 28
    assert set(matches.loc[~matches["equal"], "seed"]) == {3}
    assert matches["equal"].sum() == 24


def test_runs_that_failed_in_both_sets_are_not_called_equal(write: Write) -> None:
    def ending(run: Run) -> Ending:
        return {"status": "failed"} if run.seed == 1 else {"accuracy": 0.9}

    matches = both(write, study_of(), A=ending, B=ending).matches
    assert matches.groupby("seed")["equal"].all().tolist() == [True, False, True, True, True, True, True]


def test_of_several_runs_that_answer_a_finished_one_counts(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of()
    folder = write("A", study)
    with monkeypatch.context() as patch:
        patch.setattr("harness.design.run.NUMERICS", 99)
        write("A", study, lambda _: {"status": "failed"})
    found = compare_sets(study, (folder, write("B", study)))
    assert set(found.matches["status_A"]) == {"completed"}


def test_a_factor_may_be_younger_than_the_runs(write: Write) -> None:
    before = study_of(factors=(), settings={"lr": 0.01})
    folder = write("A", before, lambda run: {"accuracy": 0.8 + 0.01 * run.seed})
    after = study_of()
    found = compare_sets(after, (folder, write("B", after)))
    assert found.matches.groupby("cell")["status_A"].count().tolist() == [14, 0]


def test_looks_do_not_narrow_the_comparison(write: Write) -> None:
    study = study_of(looks=(6, 9), seeds=9)
    found = both(write, study)
    assert [(len(c.pairs), c.stage) for c in found.contrasts] == [(9, None), (9, None)]


def test_other_data_are_refused(write: Write) -> None:
    study = study_of()
    folders = write("A", study), write("B", study, sha256=OTHER_SHA)
    with pytest.raises(InputError, match=r"different data: .* begins with a{16} in .* and b{16} in"):
        compare_sets(study, folders)


def test_a_set_without_runs_of_the_declaration_is_refused(write: Write) -> None:
    folders = write("A", study_of()), write("B", study_of(epochs=3))
    with pytest.raises(InputError, match=r"28 recorded runs in .*B.*, none of them of study 'made-up'"):
        compare_sets(study_of(), folders)


def test_a_result_set_is_a_folder_of_tables_or_holds_one(write: Write, tmp_path: Path) -> None:
    folder = write("A", study_of())
    assert tables_of(folder) == tables_of(folder.parent) == folder
    folder.rename(folder.with_name("one"))
    write("A", study_of())
    with pytest.raises(InputError, match=r"2 result sets in .*A: made-up, one\n.*\n.*such as .*made-up"):
        tables_of(folder.parent)
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        tables_of(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no result sets in .*empty"):
        tables_of(tmp_path / "empty")


def test_two_studies_are_not_two_sets_of_one(write: Write) -> None:
    first = write("A", study_of())
    other = Study(
        name="other",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        seeds=1,
        epochs=1,
    )
    assert recorded_name([first, first]) == "made-up"
    with pytest.raises(InputError, match=r"results of different studies: made-up in .*A.* and other in .*B"):
        recorded_name([first, write("B", other, lambda _: {"accuracy": 0.5})])
