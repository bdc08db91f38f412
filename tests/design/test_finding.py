"""Declaration: findings are checked when they are declared, and a hash tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.finding import ARTICLE, GAP, PATH, SMOOTHNESS, Finding
from harness.design.resolution import family_size
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError

FINDING = Finding("loss", claim="the loss is lower", endpoint="test:loss", better="lower", margin=0.1)


def a_study(*findings: Finding, **changes: Any) -> Study:
    return Study(
        name="small",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
        findings=findings,
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"name": "../x"}, "finding '../x'"),
        ({"family": "a b"}, "finding 'loss': family 'a b'"),
        ({"claim": "  "}, "finding 'loss': claim = '  '"),
        ({"endpoint": "accurracy"}, "finding 'loss': endpoint = 'accurracy'"),
        ({"endpoint": "dev:loss"}, "finding 'loss': endpoint = 'dev:loss'"),
        ({"endpoint": "test:"}, "finding 'loss': endpoint = 'test:'"),
        ({"better": "up"}, "finding 'loss': better = 'up'"),
        ({"margin": 0}, "finding 'loss': margin = 0"),
        ({"margin": -1.0}, "finding 'loss': margin = -1.0"),
        ({"margin": float("nan")}, "finding 'loss': margin = nan"),
        ({"margin": True}, "finding 'loss': margin = True"),
        ({"margin": "0.1"}, "finding 'loss': margin = '0.1'"),
    ],
)
def test_a_finding_that_can_not_be_judged_is_refused(changes: dict[str, Any], received: str) -> None:
    with pytest.raises(InputError) as caught:
        replace(FINDING, **changes)
    assert caught.value.received == received


def test_a_misspelt_endpoint_is_told_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        replace(FINDING, endpoint="sign_flips_rate")
    assert "did you mean 'sign_flip_rate'?" in caught.value.remedy


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: a_study(FINDING, FINDING), "study 'small' has findings ['loss', 'loss']"),
        (lambda: a_study(), "study 'small' has findings [], none of them of the family 'primary'"),
        (
            lambda: a_study(replace(FINDING, family="more")),
            "study 'small' has findings ['loss'], none of them of the family 'primary'",
        ),
        (
            lambda: a_study(replace(FINDING, endpoint="test:brier")),
            "study 'small', finding 'loss': endpoint 'test:brier' is not measured",
        ),
        (
            lambda: a_study(replace(FINDING, endpoint="validation:loss")),
            "study 'small', finding 'loss': endpoint 'validation:loss' is not measured",
        ),
    ],
)
def test_findings_that_a_study_does_not_measure_are_refused(make: Callable[[], Study], received: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.received == received


def test_further_metrics_and_the_validation_split_can_be_endpoints() -> None:
    brier = replace(FINDING, endpoint="test:brier")
    assert a_study(brier, settings={"metrics": ("brier",)}).findings == (brier,)
    kept = replace(FINDING, endpoint="validation:accuracy")
    assert a_study(kept, settings={"validation": 0.1}).findings == (kept,)
    assert a_study(kept, factors=(Factor("validation", (0.1, 0.2)),)).findings == (kept,)


def test_a_study_without_findings_of_its_own_asks_the_articles_and_others_in_other_families() -> None:
    study = Study(
        name="small", question="?", dataset="digits", variants=(Variant("a"), Variant("b", norm="batch"))
    )
    assert study.findings == (*ARTICLE, GAP, *SMOOTHNESS, *PATH)
    assert family_size(study) == 3
    assert family_size(study, family=GAP.family) == 1
    assert family_size(study, family="smoothness") == 3
    assert family_size(study, family="path") == 4


def test_the_family_of_the_plan_is_the_primary_one() -> None:
    assert family_size(a_study(*ARTICLE, replace(FINDING, family="more"))) == 6
    assert family_size(a_study(FINDING)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"claim": "the loss is smaller"},
        {"endpoint": "test:accuracy"},
        {"better": "higher"},
        {"margin": 0.2},
        {"margin": None},
        {"family": "more"},
    ],
)
def test_whatever_is_changed_changes_the_hash(changes: dict[str, Any]) -> None:
    assert replace(FINDING, **changes).sha256 != FINDING.sha256
    assert replace(FINDING).sha256 == FINDING.sha256
    assert len(FINDING.sha256) == 64
