"""Look-up types (Exim chapter 9)."""
