"""Computation: tables to verdicts."""
