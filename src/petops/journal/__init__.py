"""Where entries are kept: in memory for tests and demos, in SQLite for everything else."""
