"""What turns a service into a process of its own: settings, logs, ports, life and drain."""
