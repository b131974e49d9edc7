"""The studio: hosts publish from a browser. Pages and forms over the same functions as the API."""
