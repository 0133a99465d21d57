"""What chance gives. Pure functions of arrays that know nothing of networks or files."""
