"""The console: one page of cards, each in a file of its own."""
