"""Reports: projections of the journal to where the monitoring looks."""
