"""Expansion operators, by family."""
