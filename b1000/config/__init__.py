"""What the user wrote, read and checked: ini file in, frozen jobs out."""
