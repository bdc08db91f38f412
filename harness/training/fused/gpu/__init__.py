"""Computation: the operations on packs as Triton kernels. Only what a GPU is chosen for imports it."""
