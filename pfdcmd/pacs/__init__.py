"""Query and retrieve as values: peers, queries, results, reports. No network; see edge.pacs.net for that."""
