"""Files of other systems into rows of an import: read, map, send, report."""
