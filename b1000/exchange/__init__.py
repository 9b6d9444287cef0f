"""What a passive run and the pull run that fetches from it tell each other, through files."""
