"""The wire, without the world: bytes in, messages out; receipts in, bytes out.

Law: sans-I/O. Nothing here opens a socket, reads a clock or knows who answers.
"""
