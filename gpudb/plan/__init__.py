"""What to compute: pure data. Imports no array library and knows no device."""
