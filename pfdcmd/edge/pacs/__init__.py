"""PACSs over the network: associations, queries, retrieves, their examination."""
