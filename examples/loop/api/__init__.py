"""The services of the reference LOOP checkout."""
