"""Times of travel on a network: searches, nearest facilities, isochrones, catchments, indicators of access."""
