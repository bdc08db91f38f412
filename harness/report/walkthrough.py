"""Computation: batch normalisation step by step, in words and digits, for the report and the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.design.study import Study
from harness.models.example import AGAIN, RANGES, SCALE, SEED, SHIFT, Channel, Map, Walkthrough
from harness.report.words import plain

Cell = str | tuple[tuple[str, ...], ...]
"""A text, or the values of a channel of an image, row by row."""


@dataclass(frozen=True)
class Sheet:
    """Numbers side by side.

    Attributes:
        name: what they are, for those who can't see them.
        columns: their heads.
        rows: the first cell of each names it.
        followed: whether the first value of the first map is the one that is followed through all steps.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    followed: bool = False


@dataclass(frozen=True)
class Passage:
    """A few sentences, and the numbers that they speak of, if any."""

    text: str
    sheet: Sheet | None = None


@dataclass(frozen=True)
class Step:
    """A step of batch normalisation: its heading, and what is said and shown of it."""

    heading: str
    passages: tuple[Passage, ...]


def has_batch_norm(study: Study) -> bool:
    """Whether a network of the study has batch norm; what a user's own network has inside is not known."""
    norms = [study.settings.get("norm"), *(variant.settings.get("norm") for variant in study.variants)]
    norms += [choice.params.get("norm") for choice in study.choices]
    norms += [level for factor in study.factors if factor.name == "norm" for level in factor.levels]
    return "batch" in norms


def steps(walk: Walkthrough) -> Iterator[Step]:
    """The steps, one after the other."""
    yield _batch(walk)
    yield _figures(walk)
    yield _normalised(walk)
    yield _scaled(walk)
    yield _running(walk)
    yield _evaluated(walk)
    apart = plain(float(f"{walk.apart:.0e}"))  # one digit of rounding says it
    yield Step("Agreement", (Passage(
        "All of this is computed live by ReferenceBatchNorm2d (harness/models/batchnorm.py), in double "
        f"precision. torch.nn.BatchNorm2d gives the same: the largest difference is {apart}."
    ),))  # fmt: skip


def _batch(walk: Walkthrough) -> Step:
    drawn = ", ".join(f"randint({low}, {high})" for low, high in RANGES)
    text = (
        f"torch.manual_seed({SEED}); for each image its channels in turn: {drawn}, each 3 × 3. The first "
        "value of channel 1 is followed through all steps."
    )
    sheet = _maps("The batch", [channel.maps for channel in walk.channels], digits=0)
    return Step("The batch", (Passage(text, sheet),))


def _figures(walk: Walkthrough) -> Step:
    count = walk.channels[0].count
    rows = tuple(
        (
            str(number),
            f"{sum(sum(row) for part in channel.maps for row in part):g} / {count} = {channel.mean:.4f}",
            f"{channel.squares:g} / {count} = {channel.variance:.4f}",
        )
        for number, channel in enumerate(walk.channels, 1)
    )
    text = (
        f"Over both images, rows and columns: m = 2 · 3 · 3 = {count} values. The variance is the biased "
        "one, divided by m."
    )
    heading = "Mean and variance of each channel"
    sheet = Sheet(heading, ("channel", "μ = Σx / m", "σ² = Σ(x − μ)² / m"), rows)
    return Step(heading, (Passage(text, sheet),))


def _normalised(walk: Walkthrough) -> Step:
    first = walk.channels[0]
    text = (
        f"With ε = {walk.eps:.5f}. The first value: ({first.maps[0][0][0]:g} − {first.mean:.4f}) / "
        f"√({first.variance:.4f} + {walk.eps:.5f}) = {_number(first.normalised[0][0][0])}. Every channel now "
        "has mean 0 and variance 1, whatever it had before."
    )
    sheet = _maps("Normalised values", [channel.normalised for channel in walk.channels])
    return Step("Normalise: x̂ = (x − μ) / √(σ² + ε)", (Passage(text, sheet),))


def _scaled(walk: Walkthrough) -> Step:
    first = walk.channels[0]
    before, after = first.normalised[0][0][0], first.scaled[0][0][0]
    text = (
        "γ and β are learned, one of each a channel, so that the network can have any mean and spread that "
        "serves it. They begin at γ = 1 and β = 0, where y is x̂. Had channel 1 come to "
        f"γ = {SCALE:g} and β = {SHIFT:g}, its first value would be {SCALE:g} · ({_number(before)}) + "
        f"{SHIFT:g} = {_number(after)}."
    )
    return Step("Scale and shift: y = γ · x̂ + β", (Passage(text),))


def _running(walk: Walkthrough) -> Step:
    kept, share = 1 - walk.momentum, walk.momentum
    rows = tuple(
        (
            str(number),
            f"{share:g}·{channel.mean:.4f} = {channel.running_mean:.4f}",
            f"{channel.squares:g}/{channel.count - 1} = {channel.unbiased:.4f}",
            f"{kept:g} + {share:g}·{channel.unbiased:.4f} = {channel.running_variance:.4f}",
        )
        for number, channel in enumerate(walk.channels, 1)
    )
    text = (
        "For the day when there is no batch. The mean begins at 0, the variance at 1; the variance that goes "
        "in is the unbiased one, Σ(x − μ)² / (m − 1)."
    )
    sheet = Sheet("Running figures", ("channel", "running mean", "unbiased", "running variance"), rows)
    heading = f"Running figures: r ← {kept:g} · r + {share:g} · batch"
    return Step(heading, (Passage(text, sheet), _settling(walk.channels)))


def _settling(channels: Sequence[Channel]) -> Passage:
    rows = [
        (str(batches), *(_pair(*channel.settling[place]) for channel in channels))
        for place, batches in enumerate(AGAIN)
    ]
    rows.append(("∞", *(_pair(channel.mean, channel.unbiased) for channel in channels)))
    text = "They take their time. Mean and variance after so many batches, here always the same one:"
    columns = ("batches", *(f"channel {number}" for number in range(1, len(channels) + 1)))
    return Passage(text, Sheet("Running figures after more batches", columns, tuple(rows)))


def _evaluated(walk: Walkthrough) -> Step:
    first = walk.channels[0]
    text = (
        "An image's result no longer depends on the other images. The first value, after one batch: "
        f"({first.maps[0][0][0]:g} − {first.running_mean:.4f}) / "
        f"√({first.running_variance:.4f} + {walk.eps:.5f}) = {_number(first.evaluated[0][0][0])}, where "
        f"training gave {_number(first.normalised[0][0][0])}. The running figures are still far from the "
        "batch's, and so are the results, most of all in the channel with the largest mean:"
    )
    sheet = _maps("Values in evaluation", [channel.evaluated for channel in walk.channels])
    return Step("Evaluation: the running figures in place of the batch's", (Passage(text, sheet),))


def _maps(name: str, shown: Sequence[Sequence[Map]], *, digits: int = 3) -> Sheet:
    """The images below each other, their channels side by side."""
    rows: list[tuple[Cell, ...]] = []
    for image, maps in enumerate(zip(*shown, strict=True), 1):
        cells = (tuple(tuple(_number(value, digits) for value in row) for row in part) for part in maps)
        rows.append((f"image {image}", *cells))
    columns = ("", *(f"channel {number}" for number in range(1, len(shown) + 1)))
    return Sheet(name, columns, tuple(rows), followed=True)


def _pair(mean: float, variance: float) -> str:
    return f"{mean:.4f}, {variance:.4f}"


def _number(value: float, digits: int = 4) -> str:
    """With a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")
