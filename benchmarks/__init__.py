"""Measures podhost against the floor: what the same machine could do at best, in the same run.

Nothing here is imported by podhost, and no test asserts one of its numbers.
"""
