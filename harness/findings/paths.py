"""Computation: how the sampled weights of a run move: each by itself, and in pairs as paths in a plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Numbers = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

SAMPLED = ("turning", "pair_tortuosity", "pair_cosine")
"""What is known of the sampled weights, one number a run each."""

PATH_READ = ["run_id", "epoch", "layer", "index", "value", "sampled"]
PATH_CODED = ("run_id", "layer", "index")
"""The columns of `weights` that they are made of, and those of them that are best read as codes."""


def sampled_paths(rows: pa.Table) -> pd.DataFrame:
    """How the drawn weights of each run move from epoch to epoch; those watched by name only don't count.

    An update is the change of a weight over an epoch.

    - `turning`: the share of successive updates that turn back, over all weights. An update turns back when
      it has the other sign than the one before; a weight that rests does not, so a dead channel counts as
      steady.
    - `pair_tortuosity`, `pair_cosine`: of pairs of weights, whose values are a path in a plane. Each weight
      is paired with the next by name (layer, index), the last with the first: as many pairs as weights, the
      same in every run that has drawn the same weights. A path's tortuosity is its length over the distance
      of its ends; over pairs the harmonic mean is taken, one over the mean of distance over length, so that
      a pair that comes back to where it began (distance 0) counts without making the mean infinite. The
      cosine is that of successive updates of a pair, averaged over pairs and epochs. A pair that rests has
      no path and is left out of the first, a pair that rests in one of two epochs has no angle between
      them and is left out of the second there.

    Args:
        rows: of `weights`, in any order, all those of a run or none; layer, index and run_id as codes.

    Returns:
        Index run_id, of runs with drawn weights; columns `SAMPLED`. NaN where nothing is left to be averaged.
    """
    drawn = rows.filter(rows["sampled"])
    run, ids = codes_of(drawn["run_id"])
    layer, layers = _ranks(drawn["layer"])
    place, places = _ranks(drawn["index"])
    weight = (run.astype(np.int64) * layers + layer) * places + place
    order = np.lexsort((drawn["epoch"].to_numpy(), weight))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # infinite weights, empty means
        columns = _means(weight[order], run[order], drawn["value"].to_numpy()[order], runs=len(ids))
    here = np.bincount(run, minlength=len(ids)) > 0  # a file's codes name attempts, too, that count no more
    return pd.DataFrame(dict(zip(SAMPLED, columns, strict=True)), index=ids)[here]


def _means(weight: Integers, run: Codes, value: Numbers, *, runs: int) -> tuple[Numbers, ...]:
    """What stands in the columns `SAMPLED` [run].

    Args:
        weight: [row], rising; equal on the rows of a path.
        run: [row], rising.
        value: [row], by epoch within a path.
        runs: how many.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(weight) != 0][: len(weight)])
    sizes, run = np.diff(np.r_[starts, len(weight)]), run[starts]
    partner = _next_in_run(run)
    # One weight alone is no pair; the weights of a run were recorded in the same epochs.
    fit = (partner != np.arange(len(run))) & (sizes[partner] == sizes)
    totals = np.zeros((6, runs))
    for size in np.unique(sizes):  # runs that diverged are shorter
        alike = np.flatnonzero(sizes == size)
        values = value[starts[alike][:, None] + np.arange(size)]
        first = np.flatnonzero(fit[alike])
        second = np.searchsorted(alike, partner[alike[first]])
        for total, counts in zip(totals[:2], _turns(values), strict=True):
            total += np.bincount(run[alike], weights=counts, minlength=runs)
        for total, figures in zip(totals[2:], _pairs(values, first, second), strict=True):
            total += np.bincount(run[alike[first]], weights=figures, minlength=runs)
    turned, counted, forward, paths, cosines, angles = totals
    return turned / counted, np.where(forward > 0, paths / forward, np.nan), cosines / angles


def _next_in_run(run: Codes) -> Integers:
    """For each of some weights the place of the next of its run, for the last that of the first [weight]."""
    partner = np.arange(len(run)) + 1
    firsts = np.flatnonzero(np.r_[True, np.diff(run) != 0][: len(run)])
    partner[np.r_[firsts[1:], len(run)][: len(firsts)] - 1] = firsts
    return partner


def _turns(values: Numbers) -> tuple[Integers, Integers]:
    """How many updates of each weight turn back, and of how many.

    Args:
        values: of weights [weight, epoch].
    """
    signs = np.sign(np.diff(values, axis=1))
    before, after = signs[:, :-1], signs[:, 1:]
    return np.count_nonzero(before * after < 0, axis=1), np.count_nonzero(~np.isnan(before), axis=1)


def _pairs(
    values: Numbers, first: Integers, second: Integers
) -> tuple[Numbers, npt.NDArray[np.bool_], Numbers, Integers]:
    """Distance over length of the path of each pair, and whether it has a length; cosines and their number.

    Args:
        values: of weights [weight, epoch].
        first: of each pair the first weight [pair].
        second: the second [pair].
    """
    updates, between = np.diff(values, axis=1), values[:, -1] - values[:, 0]
    squares, ahead = updates * updates, updates[:, 1:] * updates[:, :-1]
    steps = np.sqrt(squares[first] + squares[second])
    length, distance = steps.sum(axis=1), np.hypot(between[first], between[second])
    products = ahead[first] + ahead[second]
    sizes = steps[:, 1:] * steps[:, :-1]
    moved = sizes > 0
    cosines = np.where(moved, products / sizes, 0.0).sum(axis=1)
    angles = np.count_nonzero(moved, axis=1)
    return np.where(length > 0, distance / length, 0.0), length > 0, cosines, angles


def codes_of(column: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """A column of texts as numbers, and the texts that these stand for."""
    whole = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return whole.indices.to_numpy(), whole.dictionary.to_pylist()


def _ranks(column: pa.ChunkedArray) -> tuple[Integers, int]:
    """A column of texts as their places in the order of the alphabet, and how many these are."""
    codes, texts = codes_of(column)
    ranks = np.empty(len(texts), dtype=np.int64)
    ranks[np.argsort(np.array(texts, dtype=object))] = np.arange(len(texts))
    return ranks[codes], len(texts)
