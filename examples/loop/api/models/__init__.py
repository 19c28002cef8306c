"""What loop-api takes and gives."""
