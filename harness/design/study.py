"""Declaration: a study, which is a question with everything that is trained to answer it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from harness.design.change import check_changes
from harness.design.factor import Factor
from harness.design.finding import DEFAULT, Finding, check_findings
from harness.design.looks import Spending, check_looks
from harness.design.run import Cell, Run, Stage
from harness.design.scale import Scale, check_scales, find_scale
from harness.design.search import FIRST_TUNING_SEED, Choice, Search, check_search
from harness.design.settings import KNOWN, Value, check_settings, unknown_setting
from harness.design.sources import own_code, source_hash
from harness.design.variant import Variant, check_name
from harness.design.variation import USUAL, check_vary
from harness.errors import InputError, nearest


@dataclass(frozen=True)
class Study:
    """A declared question: variants compared over every combination of levels, under paired seeds.

    Attributes:
        name: names its folder of results and its report.
        question: what the study asks, in one sentence.
        dataset: `devanagari`, `digits`, `mnist`, ..., or `folder:PATH`.
        variants: what is compared; two or more.
        baseline: the variant that the others are compared with; the first one unless named.
        factors: what varies beside the variant; the design is their full grid.
        seeds: number of replicates; run i of every cell shares seed i with run i of every other.
        epochs: how many, each a pass over the training images unless `epoch_unit` says otherwise.
        vary: what a seed varies, of `VARIES`; what is left out is the same for all seeds.
        settings: settings of training and of the network that hold for all variants.
        looks: numbers of seeds at which the results are looked at, rising to `seeds`; none: at the end only.
        spending: how the looks share the error rate.
        keep: of the first so many seeds of each cell the weights are kept, after every epoch.
        findings: what is claimed, declared before any run; `DEFAULT` unless given.
        search: how each variant is tuned before it is compared; None trains them as they are declared.
        scales: the same design with fewer seeds, epochs or images, by name; `--scale NAME` takes one.
        choices: what the search chose, for each cell; filled in when it is over, not declared.
        planned: the seeds that the study file declares, where a call wants another number; not declared.
        scale: the name of its scale, where this is a study at one of its scales; not declared.
        full: the study that this is a scale of; not declared.

    Raises:
        InputError: whatever is inconsistent: equal names, an unknown baseline, setting or factor,
            a factor that a variant or the settings fix as well, a finding that is not measured, a search
            or a scale that does not fit.
    """

    name: str
    question: str
    dataset: str
    variants: tuple[Variant, ...]
    baseline: str = ""
    factors: tuple[Factor, ...] = ()
    seeds: int = 20
    epochs: int = 30
    vary: tuple[str, ...] = USUAL
    settings: dict[str, Value] = field(default_factory=dict)
    looks: tuple[int, ...] = ()
    spending: Spending = "obrien-fleming"
    keep: int = 1
    findings: tuple[Finding, ...] = DEFAULT
    search: Search | None = None
    scales: dict[str, Scale] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    planned: int = 0
    scale: str = ""
    full: Study | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_name(self.name, what="study")
        for listed in ("variants", "factors", "findings", "looks"):
            object.__setattr__(self, listed, tuple(getattr(self, listed)))
        declared = not self.planned  # else it is made from a declared one, whose scales were tried
        object.__setattr__(self, "planned", self.planned or self.seeds)
        where = f"study {self.name!r}"
        self._check_own(where)
        check_looks(self.looks, spending=self.spending, planned=self.planned, where=where)
        searched = self.search is not None
        object.__setattr__(self, "vary", check_vary(self.vary, searched=searched, where=where))
        self._check_variants(where)
        own_allowed = any(variant.build for variant in self.variants)
        object.__setattr__(
            self, "settings", check_settings(self.settings, where=where, own_allowed=own_allowed)
        )
        self._check_factors(where, own_allowed=own_allowed)
        check_findings(
            self.findings,
            metrics=self.settings.get("metrics", ()),  # type: ignore[arg-type]
            validation=bool(self.settings.get("validation"))
            or "validation" in [f.name for f in self.factors],
            where=where,
        )
        check_changes(self.findings, factors=self.factors, where=where)
        if self.search is not None:
            check_search(
                self.search, self.variants, settings=self.settings, factors=self.factors, where=where
            )
        check_scales(self.scales, where=where)
        for name in self.scales if declared else ():
            self.at_scale(name)

    def _check_own(self, where: str) -> None:
        """Refuse what is wrong in itself, whatever stands beside it."""
        for what, count in (("seeds", self.seeds), ("epochs", self.epochs)):
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= FIRST_TUNING_SEED:
                raise InputError(
                    f"{where}: {what} = {count!r}",
                    rule=f"{what} is a whole number, at least 1 and at most {FIRST_TUNING_SEED:,}",
                    remedy=f"for instance {what}=20",
                )
        if not isinstance(self.dataset, str) or not self.dataset:
            raise InputError(
                f"{where}: dataset = {self.dataset!r}",
                rule="a study names its data",
                remedy="for instance dataset='devanagari'",
            )
        if not isinstance(self.keep, int) or isinstance(self.keep, bool) or self.keep < 0:
            raise InputError(
                f"{where}: keep = {self.keep!r}",
                rule="keep is a number of seeds, a whole one, at least 0",
                remedy="keep=1 keeps the weights of the first seed of each cell, keep=0 none",
            )

    def _check_variants(self, where: str) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) < 2 or len(set(names)) < len(names):
            raise InputError(
                f"{where} has variants {names}",
                rule="a study compares two or more variants with different names",
                remedy="for instance variants=(Variant('plain'), Variant('bn', norm='batch'))",
            )
        for first, second in itertools.combinations(self.variants, 2):
            if (first.build, first.settings, first.again) == (second.build, second.settings, second.again):
                raise InputError(
                    f"{where}: variants {first.name!r} and {second.name!r} are the same",
                    rule="variants differ in a setting or in their `build`",
                    remedy="give one of them what sets it apart",
                )
        if not self.baseline:
            object.__setattr__(self, "baseline", names[0])
        if self.baseline not in names:
            raise InputError(
                f"{where}: baseline = {self.baseline!r}",
                rule="the baseline is one of the variants",
                remedy=nearest(self.baseline, names),
            )

    def _check_factors(self, where: str, *, own_allowed: bool) -> None:
        names = [factor.name for factor in self.factors]
        if len(set(names)) < len(names):
            raise InputError(
                f"{where} has factors {names}",
                rule="factors have different names",
                remedy="declare each factor once",
            )
        for factor in self.factors:
            if factor.name not in KNOWN and not own_allowed:
                raise unknown_setting(factor.name, where=f"{where}, factor {factor.name!r}")
            fixers = [f"variant {v.name!r}" for v in self.variants if factor.name in v.settings]
            if factor.name in self.settings:
                fixers.append("the study's settings")
            if fixers:
                raise InputError(
                    f"{where}: factor {factor.name!r} is also fixed by {' and '.join(fixers)}",
                    rule="what a factor varies, nothing else fixes",
                    remedy=f"remove {factor.name!r} there, or drop the factor",
                )

    def cells(self) -> Iterator[Cell]:
        """The cells: for each combination of levels, every variant in turn."""
        grids = [[(factor.name, level) for level in factor.levels] for factor in self.factors]
        for combination in itertools.product(*grids):
            for variant in self.variants:
                yield Cell(variant.name, dict(combination))

    @property
    def size(self) -> int:
        """How many runs the study has; those of its search are not among them."""
        return sum(1 for _ in self.cells()) * self.seeds

    def at_scale(self, name: str) -> Study:
        """The study at one of its scales, called NAME-SCALE: its results and report are its own.

        Raises:
            InputError: no such scale, or one that does not fit the study or changes nothing of it.
        """
        if self.scale == name:
            return self
        where = f"study {self.name!r}"
        scale = find_scale(name, self.scales, where=where)
        scale.check(self.variants, factors=self.factors, search=self.search, where=f"{where}, scale {name!r}")
        changes = scale.changes(self.settings, self.search)
        if all(getattr(self, what) == value for what, value in changes.items()):
            raise InputError(
                f"{where}, scale {name!r}: it changes nothing",
                rule="a scale differs from its study",
                remedy="give it fewer seeds or epochs, or leave it out",
            )
        planned = changes.get("seeds", self.seeds)
        label = f"{self.name}-{name}"
        return replace(self, **changes, planned=planned, name=label, scales={}, scale=name, full=self)

    def against_itself(self) -> Study:
        """The baseline compared with its twin, an A/A: what is claimed of the two is a false alarm.

        The baseline's own runs are those of the study. A study with a search takes what was chosen.
        """
        baseline = next(variant for variant in self.variants if variant.name == self.baseline)
        twin = baseline.twin()
        own = [choice for choice in self.choices if choice.cell.variant == self.baseline]
        again = [replace(choice, cell=replace(choice.cell, variant=twin.name)) for choice in own]
        return replace(self, variants=(baseline, twin), search=None, choices=(*own, *again))

    @property
    def schedule(self) -> dict[str, object]:
        """What was declared of seeds and looks, as it is recorded with each call."""
        return {"seeds": self.planned, "looks": list(self.looks), "spending": self.spending}

    def runs(self, data_sha256: str) -> list[Run]:
        """Every run, seed by seed, so that an unfinished study holds whole pairs.

        A study with a search has none before the search has chosen what they are.

        Args:
            data_sha256: content hash of the data set, part of each run's fingerprint.
        """
        if self.search is not None and not self.choices:
            return []
        chosen = {repr(choice.cell): choice.params for choice in self.choices}
        source_of = cache(source_hash)
        firsts = [
            self.run(
                cell,
                seed=0,
                data_sha256=data_sha256,
                params=chosen.get(repr(cell), {}),
                source_of=source_of,
            )
            for cell in self.cells()
        ]
        # The seeds of a cell share its settings: half the time and the memory, at 100,000 runs.
        return [
            replace(first, seed=seed, keep=seed < self.keep and first.stage == "evaluation")
            for seed in range(self.seeds)
            for first in firsts
        ]

    def run(
        self,
        cell: Cell,
        *,
        seed: int,
        data_sha256: str,
        params: Mapping[str, Value],
        epochs: int | None = None,
        stage: Stage = "evaluation",
        source_of: Callable[[str], str] = source_hash,
    ) -> Run:
        """One run of a cell.

        Args:
            cell: variant and levels.
            seed: the replicate.
            data_sha256: content hash of the data set.
            params: settings that a search proposed.
            epochs: those of the study unless given.
            stage: what the run is for.
            source_of: the hash of what `module:function` names.
        """
        variant = next(variant for variant in self.variants if variant.name == cell.variant)
        chosen: dict[str, Value] = {**self.settings, **params, **variant.settings, **cell.levels}
        return Run(
            cell=cell,
            seed=seed,
            dataset=self.dataset,
            data_sha256=data_sha256,
            epochs=epochs or self.epochs,
            given={
                name: value
                for name, value in chosen.items()
                if variant.build or name not in KNOWN or value != KNOWN[name].default
            },
            build=variant.build,
            source="+".join(source_of(name) for name in own_code(variant.build, chosen)) or None,
            stage="calibration" if variant.again else stage,
            vary=self.vary,
        )
