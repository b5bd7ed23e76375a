"""The commands: each parses, opens, submits, and prints the entry that answers."""
