"""What the user wrote, read and checked: ini file in, frozen jobs out."""

DEFAULT_FILE = "/etc/b1000/b1000.cfg"  # unless -f names another
