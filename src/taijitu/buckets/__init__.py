"""Where bytes lie: one port, several places, one contract suite that they all pass."""
