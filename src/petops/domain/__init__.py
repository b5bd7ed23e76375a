"""Values and rules: no I/O, clock, randomness or environment."""
