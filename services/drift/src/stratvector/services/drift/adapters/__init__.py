"""Where drift talks to the outside: its rules' file, Prometheus, and who reads the report."""
