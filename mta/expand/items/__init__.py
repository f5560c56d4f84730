"""Expansion items, by family."""
