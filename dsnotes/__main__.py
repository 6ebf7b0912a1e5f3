"""`python -m dsnotes` is the command `dsnotes`."""
from dsnotes.cli import main

main()
