"""Retrieve jobs while they run, and the ledger of what is expected and here."""
