"""One module per page: it draws, it does not compute."""
