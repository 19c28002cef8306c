"""The two reference services, each as a process of its own."""
