"""The extractor: a theme and a territory in, objects of OpenStreetMap out, as CSV, GeoJSON or GeoParquet.

Themes are declared in ``parameters/themes/*.yaml``; what other packages already say of OpenStreetMap tags (families of
facilities, types of shops) is taken from there and never written again.
"""
