"""Editing episodes: with others, several at once, and what hosts are shown of them."""
