"""Renders views for a terminal. Nothing is read here: a view goes in, something that rich can print comes out."""
