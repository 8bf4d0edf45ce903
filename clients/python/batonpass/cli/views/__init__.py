"""Records as tables for people, one file a noun."""
