"""A rule as functions of values, for frameworks in which a step is such a function."""
