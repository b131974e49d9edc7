"""Guests: their private links, what they correct, and what they share; the host decides."""
