"""Feeds: rendered once per change, out of parts, in every form; and who is told of it."""
