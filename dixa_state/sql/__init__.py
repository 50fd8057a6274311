"""SQL in files, and what reads them."""
