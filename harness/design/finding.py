"""Declaration: a finding, which is a claim with the endpoint that decides it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from harness.design.settings import Scalar, metric_names
from harness.design.variant import check_name
from harness.errors import InputError, nearest

MEASURES = (
    "log_error", "accuracy", "epochs_to_threshold", "sign_flip_rate", "generalisation_gap", "gradient_cosine",
    "gradient_change", "smoothness", "loss_range", "tortuosity", "update_cosine", "update_turns",
    "loss_climbed", "pair_tortuosity", "pair_cosine",
)  # fmt: skip
"""What an endpoint may measure by name; `findings/endpoints.py` says how each is made."""

SPLITS = ("train", "probe", "validation", "test")
OF_CURVES = ("loss", "accuracy")

PRIMARY = "primary"
"""The family that answers the study's question; `harness plan` counts its tests."""


@dataclass(frozen=True)
class Finding:
    """A claim about every variant against the baseline, declared before any run.

    Attributes:
        name: short, for links and tables.
        claim: what is claimed of the variant, as a sentence: `test accuracy is higher`.
        endpoint: the measure that decides it: one of `MEASURES`, or SPLIT:METRIC for a column of the curves
            after the last epoch, such as `test:loss` or `test:f1`.
        better: the direction of variant minus baseline that supports the claim.
        margin: differences between −margin and margin mean nothing in practice; in the endpoint's unit.
            With it a finding can end as `equivalent`; None where none was declared.
        family: findings of one family are corrected together by Holm; the primary one answers the question.
        source: where the claim comes from, to be printed.
        over: a factor of the study, where the claim is how the difference changes over it. Over numbers that
            change is a slope: per doubling of batch_size, per factor of ten where the highest level is ten
            times the lowest or more; else the difference at the last level minus that at the first.
        levels: two levels of that factor, where the claim is of these: the difference at the second minus
            that at the first. Needed where a factor has more than two levels that are no numbers.

    Raises:
        InputError: a name that can't be part of a link, an unknown endpoint, a margin that is not positive,
            levels that are not two.
    """

    name: str
    claim: str
    endpoint: str
    better: Literal["higher", "lower"]
    margin: float | None = None
    family: str = PRIMARY
    source: str = ""
    over: str = ""
    levels: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, what="finding")
        check_name(self.family, what=f"finding {self.name!r}: family")
        where = f"finding {self.name!r}"
        if not isinstance(self.claim, str) or not self.claim.strip():
            raise InputError(
                f"{where}: claim = {self.claim!r}",
                rule="a finding states what it claims, in words",
                remedy="for instance claim='test accuracy is higher'",
            )
        split, _, metric = str(self.endpoint).partition(":")
        if self.endpoint not in MEASURES and not (split in SPLITS and metric):
            raise InputError(
                f"{where}: endpoint = {self.endpoint!r}",
                rule=f"an endpoint is one of {', '.join(MEASURES)}, or SPLIT:METRIC with a split of "
                f"{', '.join(SPLITS)}, after the last epoch",
                remedy=nearest(str(self.endpoint), [*MEASURES, "test:loss"]),
            )
        if self.better not in ("higher", "lower"):
            raise InputError(
                f"{where}: better = {self.better!r}",
                rule="better is 'higher' or 'lower': the direction that supports the claim",
                remedy="say which one it is",
            )
        if self.margin is not None and not _is_margin(self.margin):
            raise InputError(
                f"{where}: margin = {self.margin!r}",
                rule="a margin is a number above 0, in the endpoint's unit: a difference smaller than that "
                "means nothing in practice",
                remedy="leave it out where you can't name one",
            )
        self._check_change(where)

    def _check_change(self, where: str) -> None:
        if not isinstance(self.over, str):
            raise InputError(
                f"{where}: over = {self.over!r}", rule="over names a factor", remedy="for instance over='lr'"
            )
        levels = tuple(self.levels) if isinstance(self.levels, list | tuple) else (self.levels,)
        scalars = all(isinstance(level, bool | int | float | str) for level in levels)
        if levels and not (self.over and scalars and len(levels) == len(set(levels)) == 2):
            raise InputError(
                f"{where}: over = {self.over!r}, levels = {self.levels!r}",
                rule="levels are two different ones of the factor that `over` names: the claim is of the "
                "difference at the second minus that at the first",
                remedy="for instance over='init', levels=('default', 'large')",
            )
        object.__setattr__(self, "levels", levels)

    @property
    def sha256(self) -> str:
        """A hash of everything that was declared, by which a later change is noticed.

        What came later stays out where it is left empty: findings recorded before it keep their hashes.
        """
        declared = asdict(self)
        for later in ("over", "levels"):
            if not declared[later]:
                del declared[later]
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def _is_margin(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    )


def check_findings(
    findings: Sequence[Finding], *, metrics: str | tuple[str, ...], validation: bool, where: str
) -> None:
    """Refuse findings that contradict each other or measure what the study does not.

    Args:
        findings: those of the study.
        metrics: its setting of that name.
        validation: whether the study sets images aside for validation.
        where: names the study.

    Raises:
        InputError: equal names, none in the primary family, a metric or split that is not measured.
    """
    names = [finding.name for finding in findings]
    if len(set(names)) < len(names):
        raise InputError(
            f"{where} has findings {names}",
            rule="findings have different names",
            remedy="name each of them once",
        )
    if not any(finding.family == PRIMARY for finding in findings):
        raise InputError(
            f"{where} has findings {names}, none of them of the family {PRIMARY!r}",
            rule="the primary family answers the study's question",
            remedy="declare the finding that matters most without `family`",
        )
    columns = (*OF_CURVES, *metric_names(metrics))
    for finding in findings:
        split, colon, metric = finding.endpoint.partition(":")
        if colon and (metric not in columns or (split == "validation" and not validation)):
            raise InputError(
                f"{where}, finding {finding.name!r}: endpoint {finding.endpoint!r} is not measured",
                rule=f"this study measures {', '.join(columns)}; on validation images only where "
                "settings={'validation': ...} sets some aside",
                remedy="name the metric in settings={'metrics': (...)}, or take another endpoint",
            )


ARTICLE = (
    Finding(
        name="accuracy",
        claim="test accuracy is higher",
        endpoint="log_error",
        better="lower",
        source="the article's first claim: 99.1 instead of 92.4 %",
    ),
    Finding(
        name="convergence",
        claim="training converges in fewer epochs",
        endpoint="epochs_to_threshold",
        better="lower",
        source="the article's second claim",
    ),
    Finding(
        name="smoothness",
        claim="the descent is smoother",
        endpoint="gradient_cosine",
        better="higher",
        source="the article's third claim; the article shows two weights of one run",
    ),
)
"""The article's three claims."""

GAP = Finding(
    name="gap",
    claim="the gap between training and test accuracy is smaller",
    endpoint="generalisation_gap",
    better="lower",
    family="generalisation",
    source="no claim of the article; Ioffe & Szegedy (2015, section 3.4) and Luo et al. (ICLR 2019) say that "
    "batch normalization regularises",
)
"""A secondary claim, in a family of its own: it takes nothing from the power of the primary ones."""

SMOOTHNESS = (
    Finding(
        name="change",
        claim="the gradient changes less over a step",
        endpoint="gradient_change",
        better="lower",
        family="smoothness",
        source="gradient predictiveness of Santurkar et al. (2018), relative to the gradient",
    ),
    Finding(
        name="beta",
        claim="the loss is smoother along the gradient",
        endpoint="smoothness",
        better="lower",
        family="smoothness",
        source="effective β-smoothness of Santurkar et al. (2018), times the squared length of the weights",
    ),
    Finding(
        name="range",
        claim="the loss varies less along the gradient",
        endpoint="loss_range",
        better="lower",
        family="smoothness",
        source="variation of the loss of Santurkar et al. (2018)",
    ),
)
"""Other ways to look at the article's third claim, secondary and corrected among each other."""

PATH = (
    Finding(
        name="tortuosity",
        claim="the weights take a straighter path",
        endpoint="tortuosity",
        better="lower",
        family="path",
        source="what the article's picture of two weights shows, over all convolution weights",
    ),
    Finding(
        name="course",
        claim="successive updates point more in the same direction",
        endpoint="update_cosine",
        better="higher",
        family="path",
        source="what the article's picture of two weights shows, over all convolution weights",
    ),
    Finding(
        name="turning",
        claim="weights turn back less often",
        endpoint="sign_flip_rate",
        better="lower",
        family="path",
        source="what the article's picture of two weights shows, over sampled weights",
    ),
    Finding(
        name="climb",
        claim="the loss climbs less on its way down",
        endpoint="loss_climbed",
        better="lower",
        family="path",
        source="what the article's picture of two weights shows as height, on a fixed sample of images",
    ),
)
"""The article's picture of two weights, put into numbers over many: secondary, a family of their own."""

DEFAULT = (*ARTICLE, GAP, *SMOOTHNESS, *PATH)
"""What a study asks that declares no findings of its own."""
