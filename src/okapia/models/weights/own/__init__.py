"""A person's own network: what its file says, what it can be, and getting it into the store."""
