"""Bytes to values and back, pure: no database, no network, no clock."""
