"""Audio of episodes: taken in, replaced, tagged, drawn; formats/ knows the bytes."""
