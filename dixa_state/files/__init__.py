"""Formats in and out: webhook bodies read from files."""
