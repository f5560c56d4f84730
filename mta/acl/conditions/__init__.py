"""ACL conditions, by family."""
