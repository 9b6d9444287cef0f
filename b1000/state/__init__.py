"""The journal: the truth from which everything else that can be seen is computed."""
