"""Computation: what the command line shows, as rich renderables; harness/commands prints them."""
