"""podhost: a podcast hosting and RSS feed service."""

__version__ = "0.1.0"
