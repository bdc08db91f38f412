"""Which engine trains a study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.design.run import Run
from harness.errors import InputError
from harness.runner.engines import UNMEASURED_IMAGES, Choice, Gauge, choose_engine, settle_engine
from harness.runner.options import Options
from tests.conftest import tiny_run

FIT = [tiny_run(), tiny_run(1)]
OWN = replace(tiny_run(variant="mine"), build="nets:make")
NOT_FIT = [*FIT, OWN]
REASON = "'mine' can't be fused: its network is the user's own (build = 'nets:make')"


class Measure:
    """Gives a gauge, and remembers what it was asked to measure."""

    def __init__(self, gauge: Gauge | None = None) -> None:
        self.gauge = gauge
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, engines: tuple[str, ...]) -> Gauge | None:
        self.asked.append(engines)
        return self.gauge


def choose(
    runs: list[Run],
    measure: Measure,
    *,
    asked: str = "auto",
    recorded: set[str] | None = None,
    device: str = "cpu",
    far: bool = False,
) -> Choice:
    settled = settle_engine(runs, asked=asked, recorded=recorded or set(), device=device, far=far)
    return choose_engine(settled, device=device, measure=measure)


def test_auto_takes_the_faster_engine_and_says_both_figures() -> None:
    slow = Measure(Gauge(32, {1: 900.0, 2: 1250.0, 4: 1200.0}, solo=1900.4))
    assert choose(FIT, slow) == Choice(
        "solo", "1,900 images/s here; fused 1,250 in packs of 2 at batch size 32"
    )
    fast = Measure(Gauge(32, {1: 2000.0, 16: 40000.0, 32: 41000.0}, solo=1900.4))
    assert choose(FIT, fast, device="cuda") == Choice(
        "fused", "41,000 images/s here in packs of 32 at batch size 32; solo 1,900", 32 * 32
    )
    assert slow.asked == fast.asked == [("solo", "fused")]


def test_auto_takes_packs_only_where_they_are_faster_by_more_than_a_measurement_errs() -> None:
    assert choose(FIT, Measure(Gauge(32, {1: 1090.0}, solo=1000.0))).engine == "solo"
    assert choose(FIT, Measure(Gauge(32, {1: 1110.0}, solo=1000.0))).engine == "fused"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("far", [False, True])
def test_auto_stays_with_the_engine_of_the_finished_runs(device: str, far: bool) -> None:
    measure = Measure(Gauge(8, {4: 50.0}))
    solo = choose(NOT_FIT, measure, recorded={"solo"}, device=device, far=far)
    assert solo == Choice("solo", "as the finished runs of this study")
    assert measure.asked == []
    fused = choose(FIT, measure, recorded={"fused"}, device=device, far=far)
    why = "as the finished runs of this study; 50 images/s here in packs of 4 at batch size 8"
    assert fused == Choice("fused", why, 32)
    assert measure.asked == [("fused",)]


def test_finished_runs_of_both_engines_settle_nothing() -> None:
    measure = Measure(Gauge(8, {4: 50.0}, solo=60.0))
    assert choose(FIT, measure, recorded={"solo", "fused"}).engine == "solo"
    assert measure.asked == [("solo", "fused")]


def test_a_run_that_cannot_be_fused_decides_for_all() -> None:
    measure = Measure()
    assert choose(NOT_FIT, measure, device="cuda") == Choice("solo", REASON)
    assert measure.asked == []


def test_fused_where_a_run_cannot_be_is_refused() -> None:
    with pytest.raises(InputError) as asked:
        choose(NOT_FIT, Measure(), asked="fused", recorded={"solo"})
    assert asked.value.received == f"--engine fused, but {REASON}"
    assert asked.value.rule.startswith("all runs of a study share the engine, and fused trains")
    assert "--engine solo" in asked.value.remedy
    with pytest.raises(InputError) as grown:
        choose(NOT_FIT, Measure(), recorded={"fused"})
    assert grown.value.received == f"the finished runs of this study were trained by fused, but {REASON}"
    assert "flags mixed pairs" in grown.value.remedy


def test_a_precision_that_only_packs_on_a_gpu_have_settles_the_engine_or_is_refused() -> None:
    runs = [*FIT, tiny_run(precision="tf32x3")]
    measure = Measure(Gauge(4, {2: 10.0}))
    why = "no other has precision = 'tf32x3'; 10 images/s here in packs of 2 at batch size 4"
    assert choose(runs, measure, device="cuda") == Choice("fused", why, 8)
    assert measure.asked == [("fused",)]
    with pytest.raises(InputError, match=r"precision = 'tf32x3' with the engine fused on cpu"):
        choose(runs, Measure())
    with pytest.raises(InputError, match=r"precision = 'tf32x3' with the engine solo on cuda"):
        choose(runs, Measure(), device="cuda", asked="solo")
    with pytest.raises(InputError, match=r"precision = 'tf32x3' with the engine solo on cuda"):
        choose([*runs, OWN], Measure(), device="cuda")


def test_what_is_asked_for_is_done_whatever_is_recorded() -> None:
    assert choose(NOT_FIT, Measure(), asked="solo", recorded={"fused"}) == Choice("solo", "as asked")
    fused = choose(FIT, Measure(Gauge(4, {2: 10.0})), asked="fused", recorded={"solo"})
    assert fused == Choice("fused", "as asked; 10 images/s here in packs of 2 at batch size 4", 8)


@pytest.mark.parametrize(("device", "engine"), [("cpu", "solo"), ("cuda", "fused")])
def test_little_work_is_not_measured(device: str, engine: str) -> None:
    chosen = choose(FIT, Measure(None), device=device)
    assert (chosen.engine, chosen.why) == (engine, "so little work is not worth a measurement")
    asked = choose(FIT, Measure(None), asked="fused", device=device)
    assert asked == Choice("fused", "as asked", UNMEASURED_IMAGES[device])


def test_the_cpus_of_a_cluster_are_not_measured_for_auto() -> None:
    measure = Measure(Gauge(4, {2: 10.0}, solo=1.0))
    assert choose(FIT, measure, far=True) == Choice("solo", "on a cluster's CPUs nothing is measured")
    assert measure.asked == []
    assert choose(FIT, measure, far=True, device="cuda").engine == "fused"
    assert choose(FIT, measure, far=True, asked="fused").images == 8


def test_an_engine_that_fails_is_not_chosen_but_can_be_asked_for() -> None:
    broken = Measure(Gauge(4, {}, solo=5.0, trouble="RuntimeError: no such kernel"))
    assert choose(FIT, broken, device="cuda") == Choice(
        "solo", "fused failed here: RuntimeError: no such kernel"
    )
    assert choose(FIT, broken, asked="fused") == Choice("fused", "as asked", UNMEASURED_IMAGES["cpu"])


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as refused:
        Options(engine="fuse")
    assert refused.value.received == "--engine fuse"
    assert refused.value.rule.startswith("engine is auto, solo or fused")
    assert refused.value.remedy == "did you mean 'fused'? known: auto, fused, solo"
