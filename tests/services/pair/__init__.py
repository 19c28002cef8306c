"""Both services behind one reverse proxy, as clients meet them."""
