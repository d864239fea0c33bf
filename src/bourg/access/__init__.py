"""Travel times on foot, by bike and by car: networks, nearest facilities, isochrones, catchments.

This package knows the geography and the store, and nothing above.
"""
