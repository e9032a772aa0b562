"""Files of a deployment: nginx, Prometheus, Grafana and the health probe of the container."""
