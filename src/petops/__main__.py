"""`python -m petops` is the command `petops`."""

from petops.commands.main import main

main()
