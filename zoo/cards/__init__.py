"""Numbers as text and figures: model cards, tables, reports. Knows `metrics.json` and nothing else; needs no torch."""
