"""Mutation testing: change one place of the code at a time and see whether the tests near it notice."""
