"""Run the command ``loop-auth``."""

from api.oauth.command import main

main(prog_name="loop-auth")
