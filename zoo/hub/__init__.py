"""To and from the Hub: models, datasets, Spaces and metrics, each by one commit."""
