"""Composition: analogies whose answer is known, directions in the code, and how near a composite comes."""
