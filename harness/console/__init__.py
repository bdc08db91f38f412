"""Computation: what the command line shows, as rich renderables; cli.py prints them."""
