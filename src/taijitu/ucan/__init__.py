"""UCAN 0.9.1: who may do what, said in signed, content-addressed blocks.

Law: pure. The time is an argument, seeds are arguments, and nothing here reads or writes.
"""
