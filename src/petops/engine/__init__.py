"""The incident engine: from a reported alarm to a verified recovery, on nothing but its journal."""
