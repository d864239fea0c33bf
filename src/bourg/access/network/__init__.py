"""Street networks: read from extracts, built into folders, opened, and what a point of the map becomes on them."""
