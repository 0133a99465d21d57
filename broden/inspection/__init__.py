"""Look into a probe set: masses, ceilings and digests of its labels, pictures of its images."""
