"""Exim's string expansion language (Exim chapter 11)."""
