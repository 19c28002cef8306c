"""Run the command as ``python -m loopdeploy``."""

from loopdeploy.cli import main

main()
