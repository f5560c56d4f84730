"""A mail transfer agent on Twisted that reads Exim's configuration language."""

__version__ = "26.11.0"
