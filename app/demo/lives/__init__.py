"""The lives that the story tells: what is yielded is the day on which a life goes on."""
