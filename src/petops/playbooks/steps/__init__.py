"""Questions that several failure modes share; each is asked once in an investigation."""
