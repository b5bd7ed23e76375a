"""The headless engine's API: what it serves, to whom, and over what."""
