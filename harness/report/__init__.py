"""Computation: tables and findings -> figures -> one HTML file."""
