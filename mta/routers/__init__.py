"""Routers: where an address goes (Exim chapters 3 and 15 to 22)."""
