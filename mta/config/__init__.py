"""The configuration file (Exim chapter 6)."""
