"""Computation: a trained network's loss along planes of its weight space."""
