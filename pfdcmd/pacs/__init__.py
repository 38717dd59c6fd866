"""Query and retrieve as values: peers, queries, results, reports. No network; see edge.pacsnet for that."""
