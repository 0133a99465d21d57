"""The pass of the images on a device other than the CPU, which nothing in it waits for."""
