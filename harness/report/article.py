"""Computation: the section that puts the article's figures beside those of this study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.findings.article import Figure
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.published import NAMES, published_picture
from harness.report.words import NOTHING, count, listed, number
from harness.training.published import BATCH_SIZE, EPOCHS, LEARNING_RATE, SEED

_PERCENT = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class ArticleRow:
    """A published figure beside this study's, in words."""

    network: str
    epoch: str
    figure: str
    published: str
    mean: str
    sd: str
    extent: str
    seeds: str
    place: str


@dataclass(frozen=True)
class ArticleSection:
    """What the section shows.

    Attributes:
        texts: a text a paragraph.
        picture: the published figures among the seeds.
        reading: of the table.
        rows: of the table.
    """

    texts: tuple[str, ...]
    picture: Picture
    reading: str
    rows: list[ArticleRow]


def describe_article(figures: Sequence[Figure], *, palette: Palette) -> ArticleSection | None:
    """The section; None where nothing is comparable.

    Args:
        figures: those that are comparable.
        palette: colours.
    """
    if not figures:
        return None
    reading = (
        "Epochs are counted from 0, as the article does: its epoch 0 is the first pass over the training "
        "images. Training figures are taken while the network learns, test figures after the epoch. "
        "Mean, standard deviation and range: over the seeds of this study."
    )
    texts, picture = (_summary(figures), _conditions()), published_picture(figures, palette=palette)
    return ArticleSection(texts, picture, reading, [_row(figure) for figure in figures])


def _summary(figures: Sequence[Figure]) -> str:
    inside = sum(figure.inside for figure in figures)
    seeds = {len(figure.values) for figure in figures}
    variants = dict.fromkeys((figure.network, figure.variant) for figure in figures)
    named = listed(
        f"its {network} network (here {variant})" if network != variant else f"its {network} network"
        for network, variant in variants
    )
    text = (
        f"The article trained each of its two networks once, from seed {SEED}: batch size {BATCH_SIZE}, "
        f"learning rate {LEARNING_RATE:g}, {EPOCHS} epochs. This study trained {named} with the same "
        f"settings from {count(max(seeds), 'seed')}. Of {count(len(figures), 'published figure')}, {inside} "
        f"{'lies' if inside == 1 else 'lie'} within the range of the seeds here."
    )
    if len(seeds) == 1 and max(seeds) > 1:
        text += (
            " Were the article's run one more of ours, each figure would lie outside the range of the "
            f"others with a chance of 2 in {max(seeds) + 1}. The figures of one run are no independent "
            "tries: a run that begins well is ahead for some epochs."
        )
    return text


def _conditions() -> str:
    return (
        "What differs: the article draws initial weights and the order of images from one generator, one "
        "network after the other; here every seed has named streams that the variants share, so no run here "
        "is the article's. Its losses are means over batches, in which the short last one weighs as much as "
        "a full one; here they are means over images, which as a rule changes them by less than a percent. "
        "The article's two weights (wx, wy) are left out, for a single weight of another initialisation is "
        "another weight."
    )


def _row(figure: Figure) -> ArticleRow:
    share = figure.name.endswith("accuracy")
    scale, decimals, sign = (100, 2, _PERCENT) if share else (1, 4, "")
    values = figure.values * scale
    ends = (number(float(end), decimals) for end in (values.min(), values.max()))
    return ArticleRow(
        network=figure.variant,
        epoch=str(figure.epoch),
        figure=NAMES[figure.name],
        published=f"{number(figure.published * scale, decimals)}{sign}",
        mean=f"{number(float(values.mean()), decimals)}{sign}",
        sd=number(float(values.std(ddof=1)), decimals) if len(values) > 1 else NOTHING,
        extent=f"{' to '.join(ends)}{sign}",
        seeds=str(len(values)),
        place=_place(figure),
    )


def _place(figure: Figure) -> str:
    """Where the published value lies among the seeds: below 11 of 12."""
    seeds = len(figure.values)
    way, most = ("below", figure.below) if figure.below >= figure.above else ("above", figure.above)
    level = f"level with {figure.level}" if figure.level else ""
    if most == seeds:
        return f"{way} all {seeds}"
    words = f"{way} {most} of {seeds}" if most else ""
    return ", ".join(part for part in (words, level) if part)
