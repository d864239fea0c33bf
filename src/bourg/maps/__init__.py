"""Files the map reads by URL: the places as binary columns, the outlines, and the standalone map of one town."""

# Folder of a snapshot that holds what this package writes.
MAPS_FOLDER = "cartes"
