"""HTTP routes beside the dashboard: files of the map, exports, search; and the middleware around the whole server."""
