"""What is made from the tables for those who read or install B1000; not installed itself."""
