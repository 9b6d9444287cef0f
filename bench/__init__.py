"""Speed and memory of B1000 as ratios against named rivals, measured side by side."""
