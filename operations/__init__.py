"""What operators need: backups, integrity, deploy checks, health and metrics."""
