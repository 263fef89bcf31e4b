"""market_data: publishes one `bars` message per scheduled close of each universe."""
