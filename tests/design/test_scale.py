"""A study at one of its scales is the same design, done sooner, with results of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.design.factor import Factor
from harness.design.finding import DEFAULT
from harness.design.loading import is_study, load_study
from harness.design.overrides import with_overrides
from harness.design.reduction import reductions
from harness.design.scale import Scale
from harness.design.search import Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError

SHA = "a" * 64
SMALL = Scale(seeds=6, epochs=2, settings={"probe_size": 64})


def a_study(scale: Scale = SMALL, **changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "long",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": (Factor("lr", (0.01, 0.1)),),
        "seeds": 20,
        "epochs": 30,
        "settings": {"batch_size": 16, "probe_size": 512},
        "scales": {"small": scale},
    }
    return Study(**{**fields, **changes})


def searched(scale: Scale) -> Study:
    search = Search(space={"momentum": Range(0.0, 0.9)}, budget=20)
    return a_study(scale, search=search, settings={"validation": 0.2})


def fingerprints(study: Study) -> set[str]:
    return {run.fingerprint for run in study.runs(SHA)}


def test_a_scale_changes_what_it_names_and_keeps_the_design() -> None:
    full = a_study()
    scaled = full.at_scale("small")
    assert (scaled.name, scaled.scale) == ("long-small", "small")
    assert (scaled.seeds, scaled.planned, scaled.epochs) == (6, 6, 2)
    assert scaled.settings == {"batch_size": 16, "probe_size": 64}
    assert (scaled.variants, scaled.factors, scaled.findings) == (full.variants, full.factors, DEFAULT)
    assert list(scaled.cells()) == list(full.cells())
    assert scaled.full == full
    assert (full.name, full.scale, full.full) == ("long", "", None)
    assert scaled.at_scale("small") is scaled


def test_a_run_is_the_same_at_whatever_scale() -> None:
    full = a_study(Scale(seeds=6))
    scaled = full.at_scale("small")
    assert fingerprints(scaled) == fingerprints(a_study(seeds=6, scales={}))
    assert fingerprints(scaled) < fingerprints(full)
    assert fingerprints(full) == fingerprints(a_study(scales={}))


def test_looks_are_those_of_the_scale_where_it_has_seeds_of_its_own() -> None:
    looked = {"looks": (12, 20)}
    assert a_study(Scale(seeds=8, looks=(6, 8)), **looked).at_scale("small").looks == (6, 8)
    assert a_study(Scale(seeds=6), **looked).at_scale("small").looks == ()
    assert a_study(Scale(epochs=2), **looked).at_scale("small").looks == (12, 20)
    assert a_study(Scale(looks=(10, 20)), **looked).at_scale("small").looks == (10, 20)


def test_a_scale_may_have_a_smaller_search() -> None:
    scaled = searched(Scale(budget=4)).at_scale("small")
    assert scaled.search is not None
    assert (scaled.search.budget, scaled.search.space) == (4, {"momentum": Range(0.0, 0.9)})
    assert (scaled.seeds, scaled.epochs) == (20, 30)


def test_what_a_call_changes_comes_after_its_scale() -> None:
    called = with_overrides(a_study(), scale="small", seeds=7, assignments=["epochs=3", "probe_size=32"])
    assert (called.name, called.seeds, called.planned, called.epochs) == ("long-small", 7, 6, 3)
    assert called.settings["probe_size"] == 32
    levels = with_overrides(a_study(), scale="small", assignments=["probe_size=32,64"])
    assert [factor.name for factor in levels.factors] == ["lr", "probe_size"]
    assert "probe_size" not in levels.settings


def test_a_call_that_changes_a_study_need_not_agree_with_its_scales() -> None:
    assert with_overrides(a_study(), assignments=["epochs=2", "probe_size=64"], seeds=6).seeds == 6
    assert with_overrides(a_study(), assignments=["probe_size=32,64"]).size == 20 * 2 * 2 * 2
    assert searched(Scale(budget=4)).against_itself().search is None


@pytest.mark.parametrize(
    ("fields", "received", "rule", "remedy"),
    [
        ({}, "nothing is changed", "changes seeds, epochs, settings, looks", "Scale(seeds=6, epochs=2)"),
        ({"seeds": 0}, "seeds = 0", "seeds is a whole number, at least 1", "leave seeds out"),
        ({"seeds": True}, "seeds = True", "seeds is a whole number", "leave seeds out"),
        ({"epochs": 2.0}, "epochs = 2.0", "epochs is a whole number", "leave epochs out"),
        ({"budget": "4"}, "budget = '4'", "budget is a whole number", "leave budget out"),
        ({"settings": [("lr", 1)]}, "settings = [('lr', 1)]", "names and values", "settings={'probe_size'"),
        ({"seeds": 6, "looks": 6}, "looks = 6", "looks are whole numbers of seeds", "looks=(6, 8)"),
    ],
)
def test_a_scale_that_says_nothing_sensible_is_refused(
    assert_refused: Callable[..., None], fields: dict[str, Any], received: str, rule: str, remedy: str
) -> None:
    assert_refused(lambda: Scale(**fields), received=f"scale: {received}", rule=rule, remedy=remedy)


DESIGN = "sets nothing that a factor varies, a variant fixes or the search chooses"

WRONG: dict[str, tuple[Callable[[], Study], str, str, str]] = {
    "what a factor varies": (
        lambda: a_study(Scale(settings={"lr": 0.1})),
        "study 'long', scale 'small': lr = 0.1, which a factor gives as well", DESIGN, "leave 'lr' out",
    ),
    "what a variant fixes": (
        lambda: a_study(Scale(settings={"norm": "group"})),
        "norm = 'group', which variant 'bn' gives as well", DESIGN, "leave 'norm' out",
    ),
    "what is searched": (
        lambda: searched(Scale(settings={"momentum": 0.5})),
        "momentum = 0.5, which the search gives as well", DESIGN, "leave 'momentum' out",
    ),
    "a budget of no search": (
        lambda: a_study(Scale(budget=4)),
        "budget = 4, and the study has no search", "that of a search", "leave budget out",
    ),
    "an unknown setting": (
        lambda: a_study(Scale(settings={"prob_size": 64})),
        "unknown setting 'prob_size'", "a setting belongs to", "did you mean 'probe_size'?",
    ),
    "a setting against its rule": (
        lambda: a_study(Scale(settings={"probe_size": 0})),
        "probe_size = 0", "a whole number, at least 1", "the default is 1024",
    ),
    "looks beyond the seeds": (
        lambda: a_study(Scale(seeds=6, looks=(6, 8))),
        "study 'long-small': looks = (6, 8) with seeds = 6", "the last look is at all seeds", "with seeds=6",
    ),
    "what is so already": (
        lambda: a_study(Scale(seeds=20, settings={"probe_size": 512})),
        "study 'long', scale 'small': it changes nothing", "a scale differs from its study", "fewer seeds",
    ),
    "a name that names no file": (
        lambda: a_study(scales={"../small": SMALL}),
        "scale '../small'", "a name has up to 64 letters", "choose such a name",
    ),
    "a name that grows too long": (
        lambda: a_study(name="l" * 60),
        f"study '{'l' * 60}-small'", "a name has up to 64 letters", "choose such a name",
    ),
    "no scale": (
        lambda: a_study(scales={"small": {"seeds": 6}}),
        "scales = {'small': {'seeds': 6}}", "names and `Scale`s", "scales={'small': Scale(",
    ),
    "no dict": (
        lambda: a_study(scales=(SMALL,)), "scales = (Scale(", "scales are a dict", "scales={'small': Scale(",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("declare", "received", "rule", "remedy"), WRONG.values(), ids=WRONG)
def test_a_scale_that_does_not_fit_is_refused_with_the_study(
    assert_refused: Callable[..., None],
    declare: Callable[[], Study],
    received: str,
    rule: str,
    remedy: str,
) -> None:
    assert_refused(declare, received=received, rule=rule, remedy=remedy)


def test_an_unknown_scale_is_refused_with_the_nearest(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study().at_scale("smal"),
        received="study 'long' has no scale 'smal'",
        rule="a scale that the study declares",
        remedy="did you mean 'small'?",
    )
    for study in (a_study(scales={}), a_study().at_scale("small")):
        assert_refused(
            partial(study.at_scale, "big"),
            received=f"scale 'big' of study '{study.name}', which has none",
            rule="a scale is declared with its study",
            remedy="leave --scale out",
        )


def test_what_a_scale_changes_is_told_in_words() -> None:
    assert reductions(a_study()) == []
    assert reductions(a_study().at_scale("small")) == [
        "6 of 20 seeds",
        "2 of 30 epochs",
        "probe_size = 64 instead of 512",
    ]
    other = a_study(Scale(seeds=40, looks=(20, 40), settings={"train_images": 2000, "metrics": ("brier",)}))
    assert reductions(other.at_scale("small")) == [
        "40 instead of 20 seeds",
        "train_images = 2000 instead of all",
        "metrics = brier instead of none",
        "looks at 20, 40 seeds instead of no looks before the end",
    ]
    assert reductions(searched(Scale(budget=4)).at_scale("small")) == ["4 of 20 proposals a cell"]
    own = a_study(
        Scale(settings={"growth": 2}), variants=(Variant("plain"), Variant("mine", build="nets:make"))
    )
    assert reductions(own.at_scale("small")) == ["growth = 2"]


def test_what_a_call_takes_back_is_no_reduction() -> None:
    called = with_overrides(a_study(), scale="small", seeds=20, assignments=["epochs=5", "probe_size=512"])
    assert reductions(called) == ["5 of 30 epochs"]
    most = a_study(Scale(settings={"train_images": 100}))
    for text in ("all", "None"):
        lifted = with_overrides(most, scale="small", assignments=[f"train_images={text}"])
        assert reductions(lifted) == []
        assert fingerprints(lifted) == fingerprints(most)


DECLARED = """from harness import Scale, Study, Variant

study = Study(
    name="{name}",
    question="Does it help?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    scales={{"{scale}": Scale(seeds=6)}},
)
"""


def test_a_study_at_a_scale_is_found_by_the_name_of_its_results(project: Path) -> None:
    (project / "studies").mkdir()
    for name, scale in (("quick", "small"), ("two-part", "very-small"), ("two", "small")):
        (project / "studies" / f"{name}.py").write_text(DECLARED.format(name=name, scale=scale))
    assert load_study("quick-small") == load_study("quick").at_scale("small")
    assert load_study("two-part").scale == ""
    assert load_study("two-part-very-small") == load_study("two-part").at_scale("very-small")
    assert is_study("quick")
    assert is_study("quick-small")
    assert is_study("nowhere.py")
    assert not is_study("quick-smal")
    assert not is_study("small")
    with pytest.raises(InputError, match="no study is named 'quick-smal'"):
        load_study("quick-smal")
    shadowing = DECLARED.format(name="other", scale="small")
    (project / "studies" / "quick-small.py").write_text(shadowing)
    assert load_study("quick-small").name == "other"


def test_a_scale_is_a_public_name() -> None:
    assert harness.Scale is Scale
