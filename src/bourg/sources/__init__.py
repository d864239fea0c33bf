"""The catalogue of official sources, how they are fetched, and one reader per official format."""
