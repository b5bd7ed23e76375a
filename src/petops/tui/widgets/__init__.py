"""What screens are made of. A widget draws what it is given; none does I/O."""
