"""Measurements against the goals: `python -m bench` writes bench/results.md."""
