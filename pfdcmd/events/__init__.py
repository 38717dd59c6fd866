"""Events: topics, numbered changes, and who follows them; no network, no clock."""
