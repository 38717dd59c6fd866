"""What can be called by JSON-RPC: one file a family of methods, one table of them all (methods.table)."""
