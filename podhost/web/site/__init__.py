"""Listeners and readers: the pages of each show, on this podhost and on domains of their own."""
