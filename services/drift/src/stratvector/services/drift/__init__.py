"""drift: scores each model's returns and signals against its reference."""
