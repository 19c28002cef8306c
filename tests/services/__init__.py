"""The two services of the reference checkout, each as a process of its own."""
