"""Adapters that make changes, each once."""
