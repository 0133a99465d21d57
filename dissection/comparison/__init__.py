"""Networks side by side: how many concepts each has, and which only one has."""
