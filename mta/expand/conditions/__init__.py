"""Conditions of ``${if`` by family."""
