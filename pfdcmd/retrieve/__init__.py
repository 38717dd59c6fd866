"""Retrieves that know what they have: requests, jobs, verdicts, plans. No I/O."""
