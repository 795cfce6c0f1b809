"""Batches: many questions from a file, an answer for each in another, begun again at any point and paid once."""
