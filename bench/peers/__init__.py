"""The flow of `bench/flow.py` on other engines of durable execution. `make bench-peers` runs it.

Runs in a virtual environment of its own, which has the peers and not taijitu.
"""
