"""Shows a portfolio: REST, WebSocket and the console."""
