"""The pages of docs/ that a program can print: `python -m app.docs`."""
