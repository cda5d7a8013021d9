"""The database's history: what each version of Okapia changes in it."""

HEAD = "0002"
"""The newest migration; a test compares it with the folder `versions`."""
