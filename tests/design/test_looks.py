"""Looks are declared with the study, and what contradicts it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.design.overrides import with_overrides
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError


def a_study(**changes: Any) -> Study:
    given: dict[str, Any] = {
        "name": "looked",
        "question": "?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "seeds": 30,
    }
    return Study(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "received", "rule"),
    [
        ({"looks": (20, 12, 30)}, "looks = (20, 12, 30)", "each larger than the one before"),
        ({"looks": (12, 12, 30)}, "looks = (12, 12, 30)", "each larger than the one before"),
        ({"looks": (0, 30)}, "looks = (0, 30)", "whole numbers of seeds"),
        ({"looks": (12.0, 30)}, "looks = (12.0, 30)", "whole numbers of seeds"),
        ({"looks": (12, 20)}, "looks = (12, 20) with seeds = 30", "the last look is at all seeds"),
        ({"looks": (30,)}, "looks = (30,) with seeds = 30", "there is one before it"),
        ({"spending": "pocok"}, "spending = 'pocok'", "obrien-fleming, pocock"),
    ],
)
def test_looks_that_contradict_the_study_are_refused(
    changes: dict[str, Any], received: str, rule: str
) -> None:
    with pytest.raises(InputError) as caught:
        a_study(**changes)
    assert caught.value.received == f"study 'looked': {received}"
    assert rule in caught.value.rule
    assert caught.value.remedy


def test_a_misspelt_spending_is_told_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        a_study(spending="pocok")
    assert "pocock" in caught.value.remedy


def test_a_call_with_other_seeds_keeps_the_declared_looks() -> None:
    narrowed = with_overrides(a_study(looks=[12, 20, 30]), seeds=12)
    assert (narrowed.seeds, narrowed.planned, narrowed.looks) == (12, 30, (12, 20, 30))
    assert narrowed.schedule == {"seeds": 30, "looks": [12, 20, 30], "spending": "obrien-fleming"}
    assert len(narrowed.runs("0" * 64)) == 24


def test_looks_leave_runs_as_they_are() -> None:
    """A study that gets looks trains nothing anew."""
    with_looks, without = a_study(looks=(12, 30), spending="pocock"), a_study()
    assert [run.run_id for run in with_looks.runs("0" * 64)] == [run.run_id for run in without.runs("0" * 64)]
