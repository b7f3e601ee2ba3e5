"""Reports: facts kept per event, months that close by watermark, editions that never change."""
