"""The studio as its users meet it: a real browser in front of a real server."""
