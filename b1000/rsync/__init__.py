"""What B1000 knows of rsync. Pure: value in, value out."""
