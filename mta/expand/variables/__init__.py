"""Expansion variables, by what they describe."""
