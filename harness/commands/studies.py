"""Edge: the study that a call names, with what the call changes of it."""

from __future__ import annotations

from pathlib import Path

from harness.design.loading import load_study
from harness.design.overrides import with_overrides
from harness.design.study import Study


def declared_study(
    name: str, *, scale: str | None, seeds: int | None = None, assignments: list[str] | None = None
) -> Study:
    """The study as this call wants it."""
    return with_overrides(load_study(name), scale=scale, assignments=assignments or (), seeds=seeds)


def resolved_study(
    name: str,
    *,
    scale: str | None,
    seeds: int | None,
    assignments: list[str] | None,
    results: Path,
    data_dir: Path | None,
) -> Study:
    """The same with what its search chose, if it has one."""
    declared = declared_study(name, scale=scale, seeds=seeds, assignments=assignments)
    return resolved(declared, results=results, data_dir=data_dir)


def resolved(study: Study, *, results: Path, data_dir: Path | None = None) -> Study:
    """A study with what its search chose, if it has one."""
    if study.search is None:
        return study
    from harness.search.recorded import resolve
    from harness.store.results import Results

    return resolve(study, Results(results / study.name), data_dir=data_dir)


def named(study: str, scale: str | None) -> str:
    """The words by which a further command names the study of this one: `quick --scale small`."""
    return f"{study} --scale {scale}" if scale else study
