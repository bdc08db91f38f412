"""Computation: arrays to numbers."""
