"""HTTP only, split by who is asking."""
