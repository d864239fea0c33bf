"""Theme documents (shops, culture, energy): what each theme page, file and answer shows of a town."""
