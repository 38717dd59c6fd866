"""Listener services as values: what is declared, what runs, and the steps from one to the other. No processes."""
