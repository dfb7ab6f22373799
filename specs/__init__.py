"""The shipped specs and their source documents."""
