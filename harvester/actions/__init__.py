"""What a program can do with a library: one function for each command."""
