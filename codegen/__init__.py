"""Targets, one module each, behind one protocol."""
