"""What answers below /api: one router per noun."""
