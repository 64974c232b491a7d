"""What a run tells Prometheus: the families of metrics, their exposition, and the page on loopback that serves it."""
