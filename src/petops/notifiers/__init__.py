"""One-way messages to other services: each says what it wants told, and tells it.

What was told stands in the journal as `Mirrored`, so that a restart tells nothing again.
"""
