"""What commands run and tests drive."""
