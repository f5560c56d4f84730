"""Sphinx settings."""

project = "mta"
copyright = "2026, the authors of mta"
extensions: list[str] = []
exclude_patterns = ["_build"]
html_theme = "alabaster"
smartquotes = False
