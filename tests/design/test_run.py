"""Declaration: a run's name changes with what its numbers depend on, and with nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness.design.run
from harness.design.factor import Factor
from harness.design.run import Cell, Run
from harness.design.settings import KNOWN, Value
from harness.design.study import Study
from harness.design.variant import Variant

SHA = "0123456789abcdef" * 4
PLAIN, BN = Variant("plain"), Variant("bn", norm="batch")


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (PLAIN, BN),
        "factors": (Factor("batch_size", (8, 32)), Factor("lr", (0.01, 0.1))),
        "seeds": 4,
        "epochs": 2,
    }
    return Study(**{**fields, **changes})


def ids(study: Study, *, data: str = SHA) -> dict[tuple[object, ...], str]:
    """run_id by variant, seed and levels (levels in the order of their names)."""
    return {
        (run.cell.variant, run.seed, *sorted(run.cell.levels.items())): run.run_id for run in study.runs(data)
    }


@pytest.mark.parametrize(
    "grown",
    [
        {"seeds": 9},
        {"factors": (Factor("batch_size", (8, 16, 32)), Factor("lr", (0.01, 0.1)))},
        {"factors": (Factor("batch_size", (8, 32)), Factor("lr", (0.001, 0.01, 0.1, 1.0)))},
        {"variants": (PLAIN, BN, Variant("gn", norm="group"))},
        {"variants": (Variant("first", depth=1), PLAIN, BN), "baseline": "plain"},
        {"variants": (PLAIN, BN, Variant("mine", build="json:loads"))},
    ],
)
def test_a_study_that_grows_keeps_the_names_of_its_old_runs(grown: dict[str, Any]) -> None:
    old, new = ids(a_study()), ids(a_study(**grown))
    assert len(new) > len(old)
    assert {key: new[key] for key in old} == old


@pytest.mark.parametrize(
    "other",
    [
        {"factors": (Factor("lr", (0.1, 0.01)), Factor("batch_size", (32, 8)))},
        {"variants": (BN, PLAIN)},
        {"baseline": "bn"},
        {"name": "renamed", "question": "Does it, really?"},
        {"settings": {"momentum": 0.0, "dropout": 0, "norm": "none", "optimizer": "SGD"}},
        {"variants": (Variant("plain", norm="none", width=16), Variant("bn", norm="batch", kernel=3))},
    ],
)
def test_order_names_and_explicit_defaults_change_no_run(other: dict[str, Any]) -> None:
    assert ids(a_study(**other)) == ids(a_study())


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in ("batch_size", "lr", "norm")])
def test_every_default_said_aloud_is_the_default(name: str) -> None:
    assert ids(a_study(settings={name: KNOWN[name].default})) == ids(a_study())


def test_a_factor_at_its_default_level_is_the_run_without_the_factor() -> None:
    alone = a_study(factors=(), seeds=2)
    grid = ids(a_study(factors=(Factor("dropout", (0.0, 0.5)),), seeds=2))
    for (variant, seed), name in ids(alone).items():
        assert grid[variant, seed, ("dropout", 0.0)] == name
        assert grid[variant, seed, ("dropout", 0.5)] != name


def test_a_setting_is_the_same_whoever_gives_it() -> None:
    by_study = ids(a_study(factors=(), settings={"momentum": 0.9}))
    by_variants = ids(
        a_study(
            factors=(), variants=(Variant("plain", momentum=0.9), Variant("bn", norm="batch", momentum=0.9))
        )
    )
    by_level = ids(a_study(factors=(Factor("momentum", (0.5, 0.9)),)))
    assert by_study == by_variants
    assert by_study == {key[:2]: name for key, name in by_level.items() if key[2] == ("momentum", 0.9)}


_OTHERS: dict[str, Value] = {
    "epoch_unit": "updates",
    "train_images": 1000,
    "test_images": 1000,
    "lr_scaling": "linear",
    "optimizer": "Adam",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "optimizer_options": {"nesterov": True},
    "loss": "nll_loss",
    "metrics": ("brier",),
    "validation": 0.1,
    "probe_size": 512,
    "threshold": 0.3,
    "sampled_weights": 10,
    "watched_weights": ("conv1.weight:0,0,0,0",),
    "diagnostics": (),
    "precision": "tf32x3",
    "curvature": True,
    "depth": 1,
    "width": 32,
    "kernel": 5,
    "groups": 2,
    "placement": "after",
    "init": "kaiming",
    "dropout": 0.5,
    "dropout_place": "head",
}


def test_every_setting_has_another_value_below() -> None:
    assert set(_OTHERS) | {"batch_size", "lr", "norm"} == set(KNOWN)


@pytest.mark.parametrize("name", list(_OTHERS))
def test_another_value_of_any_setting_renames_every_run(name: str) -> None:
    old, new = ids(a_study()), ids(a_study(settings={name: _OTHERS[name]}))
    assert new.keys() == old.keys()
    assert not set(new.values()) & set(old.values())


def test_other_epochs_rename_every_run() -> None:
    old, new = ids(a_study()), ids(a_study(epochs=3))
    assert new.keys() == old.keys()
    assert not set(new.values()) & set(old.values())


def test_the_same_data_under_another_name_keep_their_runs() -> None:
    assert ids(a_study(dataset="folder:here")) == ids(a_study(dataset="folder:./here"))


def test_other_contents_of_the_data_rename_every_run() -> None:
    old, new = ids(a_study()), ids(a_study(), data="f" + SHA[1:])
    assert new.keys() == old.keys()
    assert not set(new.values()) & set(old.values())


def test_engines_that_give_other_numbers_rename_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ids(a_study())
    monkeypatch.setattr(harness.design.run, "NUMERICS", harness.design.run.NUMERICS + 1)
    assert not set(ids(a_study()).values()) & set(old.values())


def test_variants_that_differ_in_name_alone_are_different_runs() -> None:
    one, other = (Run(Cell(name, {}), 0, "digits", SHA, 2, {}) for name in ("a", "b"))
    assert one.fingerprint != other.fingerprint


def test_seeds_are_different_runs() -> None:
    one = [Run(Cell("plain", {}), seed, "digits", SHA, 2, {}).fingerprint for seed in range(1000)]
    assert len(set(one)) == 1000


def test_a_name_can_be_read_and_typed() -> None:
    names = [run.run_id for run in a_study(variants=(Variant("v1.0"), BN), seeds=12).runs(SHA)]
    assert all(re.fullmatch(r"(v1\.0|bn)-s0(0\d|1[01])-[0-9a-f]{10}", name) for name in names)
    assert Run(Cell("bn", {}), 1234, "digits", SHA, 2, {}).run_id.startswith("bn-s1234-")


def test_the_fingerprint_ends_with_the_hash_of_the_data() -> None:
    for run in a_study().runs(SHA):
        declared, dash, data = run.fingerprint.partition("-")
        assert re.fullmatch("[0-9a-f]{16}", declared)
        assert dash == "-"
        assert data == "0123456789abcdef"


def test_the_first_digits_of_the_datas_hash_are_enough_to_name_the_runs() -> None:
    assert ids(a_study(), data=SHA[:16]) == ids(a_study())


def test_a_name_is_the_same_in_every_process() -> None:
    program = f"""
from harness import Study, Variant
study = Study(name="s", question="?", dataset="digits", seeds=1, epochs=2,
              variants=(Variant("a", norm="batch", depth=1, width=8), Variant("b")))
print([run.run_id for run in study.runs("{SHA}")])
"""
    here = Study(
        name="s",
        question="?",
        dataset="digits",
        seeds=1,
        epochs=2,
        variants=(Variant("a", width=8, depth=1, norm="batch"), Variant("b")),
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([run.run_id for run in here.runs(SHA)])


def test_every_setting_of_a_run_is_known_by_name() -> None:
    run = a_study(factors=(), variants=(PLAIN, BN), settings={"momentum": 0.9}).runs(SHA)[1]
    expected = {name: setting.default for name, setting in KNOWN.items()}
    expected |= {"norm": "batch", "momentum": 0.9}
    assert run.settings == expected
    assert run.given == {"norm": "batch", "momentum": 0.9}


# A network of the user's own.


def own_study(**settings: Value) -> Study:
    mine = Variant("mine", build="nets:make", **settings)
    return a_study(variants=(PLAIN, mine), factors=(Factor("lr", (0.001, 0.1)),), seeds=1)


def own_runs(**settings: Value) -> list[Run]:
    return [run for run in own_study(**settings).runs(SHA) if run.build]


def own_ids(**settings: Value) -> list[str]:
    return [run.run_id for run in own_runs(**settings)]


def test_a_setting_that_equals_the_harnesss_default_is_given_to_ones_own_network(
    write: Callable[[str, str], Path],
) -> None:
    write("nets.py", "def make(width=99): ...\n")
    assert [run.given for run in own_runs(width=16)] == [{"width": 16, "lr": 0.001}, {"width": 16, "lr": 0.1}]
    assert [run.given for run in own_runs()] == [{"lr": 0.001}, {"lr": 0.1}]
    assert not set(own_ids(width=16)) & set(own_ids())


def test_a_changed_source_renames_the_runs_of_that_network_alone(write: Callable[[str, str], Path]) -> None:
    write("nets.py", "def make(): return 1\n")
    old = {run.run_id for run in own_study().runs(SHA)}
    write("nets.py", "def make(): return 2\n")
    new = {run.run_id for run in own_study().runs(SHA)}
    assert len(old) == len(new) == 4
    assert {name.partition("-")[0] for name in old & new} == {"plain"}
    assert {name.partition("-")[0] for name in old - new} == {"mine"}
    assert len(old & new) == len(old - new) == 2


def test_a_changed_module_that_the_network_imports_renames_its_runs(
    write: Callable[[str, str], Path],
) -> None:
    write("nets.py", "from blocks import block\ndef make(): return block\n")
    write("blocks.py", "block = 1\n")
    old = own_ids()
    assert own_ids() == old
    write("blocks.py", "block = 2\n")
    assert not set(own_ids()) & set(old)


def test_a_module_that_the_network_does_not_import_renames_nothing(write: Callable[[str, str], Path]) -> None:
    write("nets.py", "def make(): ...\n")
    write("notes.py", "x = 1\n")
    old = own_ids()
    write("notes.py", "x = 2\n")
    assert own_ids() == old


def test_another_callable_of_the_same_module_is_another_network(write: Callable[[str, str], Path]) -> None:
    write("nets.py", "def make(): ...\ndef other(): ...\n")
    made = [Variant("mine", build=f"nets:{function}") for function in ("make", "other")]
    names = [a_study(variants=(PLAIN, mine), factors=()).runs(SHA)[1].run_id for mine in made]
    assert names[0] != names[1]


@pytest.mark.parametrize("setting", ["loss", "metrics"])
def test_a_changed_loss_or_metric_of_ones_own_renames_the_runs(
    setting: str, write: Callable[[str, str], Path]
) -> None:
    """Else the runs of the old loss pass for those of the new one, and nothing is trained."""
    write("measures.py", "def mine(logits, labels): return (logits - 1).mean()\n")
    study = a_study(settings={setting: "measures:mine"}, factors=())
    old = ids(study)
    write("measures.py", "def mine(logits, labels): return (logits - 2).mean()\n")
    assert not set(ids(study).values()) & set(old.values())
