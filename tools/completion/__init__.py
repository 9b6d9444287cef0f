"""Shell completions, made from the parsers of the command line."""
