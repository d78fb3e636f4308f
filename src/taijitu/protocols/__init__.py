"""Protocols: what clients may ask, and how each request becomes a message and an answer."""
