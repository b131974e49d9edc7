"""Chapters of episodes: as rows, as hosts edit them, and the pictures that they show."""
