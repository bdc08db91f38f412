"""Computation: from a run to its records."""
