"""R&D and innovation platforms, from the first draft to their end."""
