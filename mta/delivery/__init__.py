"""From the spool to mailboxes and other hosts."""
