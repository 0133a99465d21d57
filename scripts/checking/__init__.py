"""What `check_gpu.py` does on a machine with a GPU."""
