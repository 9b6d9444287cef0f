"""What a run is and what may become of it, whoever stores, shows or carries it out."""
