"""CAR archives, version 1: some roots, and blocks by their links (https://ipld.io/specs/transport/car/).

Law: a block that comes out of `decode` is the block its link names. Every digest is checked,
for everything above this file believes a link.
"""
