"""Where cells, blocks, plans, open tasks and receipts lie: one port, several backends."""
