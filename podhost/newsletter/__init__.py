"""A show's newsletter: who reads it, what is sent to them and when."""
