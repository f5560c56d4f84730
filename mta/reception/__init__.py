"""From the wire to the spool."""
