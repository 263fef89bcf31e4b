"""Rules of weights, also for readers that load no compiler."""

KEPT_CLOSES_MAX = 3  # a NaN or late weight keeps the previous target for so many closes, then 0
WEIGHT_MAX = 1e9  # a larger or infinite one would turn the sums of its groups into NaN
