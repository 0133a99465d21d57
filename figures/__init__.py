"""Figures of a dissection, drawn from result tables alone."""
