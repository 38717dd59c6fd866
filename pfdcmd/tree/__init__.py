"""The data tree: path-addressed settings in memory. No clock, no files, no network."""
