"""Access control lists (Exim chapter 44)."""
