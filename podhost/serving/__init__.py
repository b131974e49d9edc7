"""Running podhost as a server: its processes and connections; it knows no podcast."""
