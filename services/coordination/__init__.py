"""Joint reviews between departments (会签), opened and ended by events."""
