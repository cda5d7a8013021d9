"""`python -m okapia` is the command `okapia`."""

from okapia.cli.main import main

main()
