"""Computation: packs of runs, trained together as one batched model."""
