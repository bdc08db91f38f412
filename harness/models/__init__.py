"""Computation: from a variant's settings to an nn.Module."""
