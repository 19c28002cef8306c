"""The two services of the reference checkout, each over real HTTP."""
