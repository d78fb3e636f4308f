"""Content-addressed data: links, the codecs of blocks, and the archives that carry them.

Law: pure. Bytes in, values out; no clock, no chance, no I/O. Every decoder is strict, so that
one value has one encoding, and every decoder raises only its own error.
"""
