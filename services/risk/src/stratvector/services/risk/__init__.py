"""risk: decides at each close of a portfolio; the only publisher of approved orders."""
