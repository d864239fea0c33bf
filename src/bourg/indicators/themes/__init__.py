"""One module per theme; importing it declares its indicators."""
