"""What no rule keeps is removed, and nothing else."""
