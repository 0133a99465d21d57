"""The probe set: photographs with pixel labels in one HDF5 file, and everything that defines it."""
