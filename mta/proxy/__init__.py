"""The PROXY protocol: who is behind a balancer (HAProxy's proxy-protocol.txt)."""
