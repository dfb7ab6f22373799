"""The C header of a library."""
