"""Where bars come from: one module per source, each returning `Loaded`."""
