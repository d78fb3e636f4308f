"""Files and directories as blocks, and blocks as files and directories (https://specs.ipfs.tech/unixfs/).

Law: pure. Packers are given bytes and names and answer blocks; walks ask for blocks by link and
are given their bytes, which whoever fetched them has hashed. What a block claims is checked
against what it links to, and what a stranger can make deep or wide has a limit.
"""
