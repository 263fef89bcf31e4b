"""What risk asks outside: the Monte Carlo service."""
