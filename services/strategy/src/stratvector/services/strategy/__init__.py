"""strategy: turns bars into signals, one lane per model."""
