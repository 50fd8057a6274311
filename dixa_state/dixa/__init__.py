"""What Dixa says: the catalogue of its events, their payloads, their signature."""
