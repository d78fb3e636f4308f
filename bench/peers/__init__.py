"""Others beside ours: the flow of `bench/flow.py` on engines of durable execution, and the files of
`bench/gateway.py` from an object store. `make bench-peers` runs them.

Runs in a virtual environment of its own, which has the peers and not taijitu.
"""
