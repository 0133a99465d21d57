"""Figures of several networks together: how many concepts each has, and which they share."""
