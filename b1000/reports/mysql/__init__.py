"""Reports of type mysql: rows in the tables of a MariaDB or MySQL server."""
