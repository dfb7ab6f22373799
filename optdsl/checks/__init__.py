"""What is wrong with a spec that compiles: checks, one a file."""
