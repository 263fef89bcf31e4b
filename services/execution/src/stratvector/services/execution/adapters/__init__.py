"""Brokers that execution can talk to, one per file."""
