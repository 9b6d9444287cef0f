"""What lies at a storage: read, judged, given back, thinned out."""
