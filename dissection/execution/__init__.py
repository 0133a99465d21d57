"""One run as a job: its settings in motion, its ranks and its threads."""
