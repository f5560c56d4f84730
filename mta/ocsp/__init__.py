"""OCSP for certificates of one's own: a responder, and proofs fetched into files."""
