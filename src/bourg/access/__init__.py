"""Travel times on foot, by bike and by car: networks, nearest facilities, isochrones, catchments.

``places`` says what one travels from and to, ``network`` makes and opens the streets, ``travel`` computes on both;
``study`` puts them together for one commune and ``territory`` for several. This package knows the geography and the
store, and nothing above.
"""
