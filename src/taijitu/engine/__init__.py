"""Makes machines durable: transactions over cells, group commit, tasks that survive a crash."""
