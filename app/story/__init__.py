"""Stories that the real services play, and the page that is printed from their events."""
