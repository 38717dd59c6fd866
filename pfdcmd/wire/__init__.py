"""Text and bytes to values and back: the old dialect, service files, supervisord configuration."""
