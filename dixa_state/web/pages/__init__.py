"""Pages for people: rendered here from the same questions as the API, readable without scripts."""
