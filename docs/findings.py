"""Edge: writes docs/findings.md and the table in README.md from results/: `python docs/findings.py`.

A test writes both again and compares them with what is committed: no number in them is typed in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.commands.studies import resolved
from harness.design.loading import load_study
from harness.design.overrides import with_overrides
from harness.design.reduction import reductions
from harness.findings.analysis import Analysis, analyse
from harness.findings.contrasts import Contrast
from harness.report.verdicts import answers, make_card
from harness.report.words import count, listed, number, percent
from harness.training.published import PUBLISHED, WY

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(?<=<!-- findings -->\n).*?(?=<!-- /findings -->)", flags=re.DOTALL)


@dataclass(frozen=True)
class Claim:
    """A claim of the article, and the finding that answers it.

    Attributes:
        words: the claim.
        study: whose results answer it, as `harness report` takes it.
        finding: its name.
        variant: of which variant.
    """

    words: str
    study: str
    finding: str
    variant: str = "bn"


SEEDS = {"article": 12}
"""Studies of which fewer seeds are trained than declared; of the others all."""

CLAIMS = (
    Claim("Test accuracy is better: 99.1 instead of 92.4 %", "article", "accuracy"),
    Claim("Training converges faster", "article", "convergence"),
    Claim("The descent is smoother", "article", "smoothness"),
)
"""The article's claims, in its order."""

CONDITIONS = (
    Claim(
        "Initialisation: weights ten times too small cost less with BN", "initialisation-small", "too-small"
    ),
    Claim(
        "Initialisation: weights ten times too large cost less with BN", "initialisation-small", "too-large"
    ),
    Claim("Learning rate: the higher it is, the more BN helps", "factorial-small", "learning-rate"),
    Claim(
        "Placement: BN after the activation, not before", "placement-small", "accuracy", variant="bn-after"
    ),
    Claim("Dropout: the more of it, the less BN helps", "dropout-small", "rate"),
    Claim("Small batches: the smaller they are, the less BN helps", "batch_size-small", "batch-size"),
    Claim("The same as a mean over learning rates and dropout", "factorial-small", "batch-size"),
)
"""What matters besides, says the article: of each that BN's effect depends on it, as its study puts it."""

BEYOND = (
    Claim("One convolution, as in the author's code: better accuracy", "article_one_conv-small", "accuracy"),
    Claim("One convolution: faster convergence", "article_one_conv-small", "convergence"),
    Claim("One convolution: smoother descent", "article_one_conv-small", "smoothness"),
    Claim("Both networks tuned with the same budget: better accuracy", "tuned-small", "accuracy"),
    Claim("Other digits (scikit-learn's): better accuracy", "generality-small", "accuracy"),
)
"""What it does not ask."""

ALL = (*CLAIMS, *CONDITIONS, *BEYOND)


def analysed(name: str) -> Analysis:
    """What the committed tables of a study say."""
    declared = with_overrides(load_study(name), seeds=SEEDS.get(name))
    study = resolved(declared, results=ROOT / "results")
    return analyse(study, ROOT / "results" / study.name)


def page(found: dict[str, Analysis]) -> str:
    """The text of docs/findings.md."""
    studies = "\n".join(chapter(name, one) for name, one in found.items())
    return f"""# What came out

An article compared one small CNN with and without 2-D batch normalization (BN) on handwritten Devanagari
digits, one seed each. Here is what the same networks say over seeds. Every number on this page is taken from
the tables in `results/` by `python docs/findings.py`, and a test repeats it.

## The article's claims

{claims_table(CLAIMS, found)}

## What matters besides

The article adds that initialisation, learning rate, placement, dropout and small batches matter. Whether BN's
effect depends on them is tested at a small scale: fewer seeds, epochs and images. After so few updates a
network that learns faster is ahead wherever learning is slow, at low learning rates and in large batches;
there the full studies may say otherwise.

{claims_table(CONDITIONS, found)}

## What it does not ask

{claims_table(BEYOND, found)}

Effects are means over seeds of BN against plain, with 95 % intervals; p is adjusted within its family.
"Supported" and "contradicted" need an adjusted p below 0.05. A single large difference can widen an interval
over "no effect" where the exact test has a small p; the verdict rests on the test. [The
statistics](statistics.md) are explained in plain words.

## Where it is surprising

{surprises(found)}

## Study by study

{studies}"""


def claims_table(claims: Sequence[Claim], found: dict[str, Analysis], *, page: str = "") -> str:
    """Claims with their verdicts, a row each.

    Args:
        claims: which.
        found: what each study found.
        page: on which the studies' chapters are; empty where they follow the table.
    """
    rows = [
        "| claim | verdict | effect | 95 % interval | adjusted p | seeds | study |",
        "|---|---|---|---|---|---|---|",
    ]
    for claim in claims:
        figures = _figures(_contrast(found[claim.study], claim.finding, claim.variant))
        rows.append(f"| {claim.words} | {figures} | [{claim.study}]({page}#{claim.study}) |")
    return "\n".join(rows)


def chapter(name: str, found: Analysis) -> str:
    """A study: its question, answer, and every finding."""
    study = found.frames.study
    scale = f" At its small scale: {listed(reductions(study))}." if study.full else ""
    rows = [
        "| finding | variant | verdict | effect | 95 % interval | adjusted p | seeds |",
        "|---|---|---|---|---|---|---|",
        *(f"| {c.finding.claim} | {c.variant} | {_figures(c)} |" for c in found.contrasts),
    ]
    answer = "\n".join(f"{text}\n" for text in answers(found.contrasts))
    runs = found.frames.runs
    diverged = int((runs["status"] == "diverged").sum())
    seeds = f" --seeds {study.seeds}" if study.seeds != study.planned else ""
    return "\n".join(
        [
            f"### {study.name}\n",
            f"{study.question} {count(len(runs), 'run')}, {diverged:,} of them diverged.{scale}\n",
            answer,
            *rows,
            "",
            f"[The report](../reports/{study.name}.html); `harness report {name}{seeds}` writes it.\n",
        ]
    )


def _figures(contrast: Contrast) -> str:
    """Verdict, effect, interval, p and seeds, as cells of a table."""
    card = make_card(contrast)
    verdict = f"{card.icon} {card.verdict}"
    return " | ".join([verdict, _effect(contrast), card.limits, card.p_adjusted, str(card.n)])


def surprises(found: dict[str, Analysis]) -> str:
    """What single figures of the article hide, and what one variant by itself would."""
    article = found["article"]
    texts = (*_oscillation(article), *_resting(article), *_path(article), *_batches(found))
    return "\n".join(f"- {text}" for text in texts)


def _oscillation(found: Analysis, *, last: int = 10) -> list[str]:
    """How far apart a network's test accuracies lie over its last epochs, and those of all seeds."""
    curves = found.frames.curves
    tested = curves[(curves["split"] == "test") & (curves["epoch"] > curves["epoch"].max() - last)]
    by_variant = tested.groupby("variant")["accuracy"]
    low, high = by_variant.min(), by_variant.max()
    within = tested.groupby(["variant", "seed"])["accuracy"].agg(lambda a: a.max() - a.min())
    spans = within.groupby("variant").median()
    return [
        f"**A single figure of the plain network is a point of an oscillation.** Over its last {last} epochs "
        f"its test accuracy moves by {number(100 * spans['plain'], 1)} points (the median seed), between "
        f"{percent(low['plain'])} and {percent(high['plain'])} over all seeds; that of BN by "
        f"{number(100 * spans['bn'], 1)}. The published 92.4 % is one such point.",
    ]


def _resting(found: Analysis) -> list[str]:
    """In how many runs the article's second weight never moves; in its own run it prints one value thrice."""
    printed = [f"{epoch.wy:.6f}" for epoch in PUBLISHED if epoch.variant == "plain" and epoch.wy is not None]
    if len(set(printed)) > 1:
        return []
    recorded = pd.read_parquet(ROOT / "results" / found.frames.study.name / "weights")
    index = ",".join(map(str, WY))
    second = recorded[(recorded["layer"] == "conv3.weight") & (recorded["index"] == index)]
    runs = found.frames.runs[["run_id", "variant"]]
    ranges = second.groupby("run_id")["value"].agg(lambda values: values.max() - values.min())
    rests = runs.assign(rests=runs["run_id"].map(ranges) == 0).groupby("variant")["rests"].sum()
    seeds = found.frames.study.seeds
    return [
        "**The second of the two sampled weights can be dead.** In the article's plain run it has the same "
        f"digits after all {len(printed)} printed epochs ({printed[0].replace('-', '−')}): the picture of "
        f"its descent is a line, not a path. Here it never moves in {rests['plain']} of {seeds} seeds of "
        f"plain and in {rests['bn']} of {seeds} of BN. Two weights say little of a network.",
    ]


def _path(found: Analysis) -> list[str]:
    """Which findings on the path of the weights, which the article's picture is about, are contradicted."""
    path = [contrast for contrast in found.contrasts if contrast.finding.family == "path"]
    against = [contrast for contrast in path if contrast.verdict == "contradicted"]
    if not against:
        return []
    claims = listed(f"{c.finding.claim} ({_effect(c)})" for c in against)
    return [
        "**The path of the weights is not what the picture of two weights suggests.** Over many convolution "
        f"weights the data contradict {len(against)} of {len(path)} claims for BN: that {claims}."
    ]


def _batches(found: dict[str, Analysis]) -> list[str]:
    """Whether group norm, which knows no batch, depends on it as BN does; and whether two designs agree."""
    bn, group = (_contrast(found["batch_size-small"], "batch-size", name) for name in ("bn", "group"))
    grid = _contrast(found["factorial-small"], "batch-size", "bn")
    texts = []
    if bn.verdict == group.verdict == "supported":
        texts.append(
            "**Small batches take from group norm what they take from BN.** The smaller the batch, the less "
            f"either helps (BN {_effect(bn)}, group norm {_effect(group)}), and group norm has no statistics "
            "of the batch that could be inaccurate. Without such a control the blame would be theirs."
        )
    if {bn.verdict, grid.verdict} == {"supported", "contradicted"}:
        texts.append(
            "**On the batch size two designs disagree, both with a small p.** With the learning rate at "
            f"0.01, or scaled from there, BN's effect changes by {_effect(bn)} (`batch_size`); as a mean "
            f"over learning rates from 0.001 to 1 and over dropout by {_effect(grid)} (`factorial`). What a "
            "factor does depends on where the others are held."
        )
    return texts


def _effect(contrast: Contrast) -> str:
    card = make_card(contrast)
    return f"{card.number} {card.unit}".strip()


def _contrast(found: Analysis, finding: str, variant: str) -> Contrast:
    (one,) = [c for c in found.contrasts if c.finding.name == finding and c.variant == variant]
    return one


def summary(found: dict[str, Analysis]) -> str:
    """The lines of the README."""
    return f"{claims_table(ALL, found, page='docs/findings.md')}\n"


def all_analysed() -> dict[str, Analysis]:
    """Every study that answers a claim, in the order of the claims."""
    return {name: analysed(name) for name in dict.fromkeys(claim.study for claim in ALL)}


def main() -> None:
    """Write both."""
    found = all_analysed()
    (ROOT / "docs" / "findings.md").write_text(page(found))
    readme = ROOT / "README.md"
    readme.write_text(MARKED.sub(summary(found), readme.read_text()))


if __name__ == "__main__":
    main()
