"""Duplicates (查重): the same work applied for, or paid, twice; pure text method, index and findings."""
