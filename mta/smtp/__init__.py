"""The Simple Mail Transfer Protocol, both sides, without I/O where it can be."""
