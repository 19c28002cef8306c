"""The fault matrix: each way in which a deployment can go wrong, and that the service never notices."""
