"""What the packages need of the machine: files, threads, text, and the terminal."""
