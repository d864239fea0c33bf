"""One module per official format; each turns a file into typed tables and counts what it rejects."""
