"""Where research touches the disk and starts processes."""
