"""The history of episodes and shows: noted, shown and taken back."""
