"""Town-centre shops: typology, diversity, chains and independents, openings and closures.

Pure functions on Polars tables and the declarations they read (crosswalk, brands, dated parameters). This package
knows the errors and the loader of parameters, and nothing above: readers and indicators call it.
"""
