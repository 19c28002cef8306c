"""The tests of loopdeploy."""
