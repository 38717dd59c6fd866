"""The examination of a PACS, step by step, and what to change when a step fails. Decides; the edge does the network."""
