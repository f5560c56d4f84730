"""Transports: how a message is delivered (Exim chapters 24 to 30)."""
