"""What all REST endpoints share: error answers, serializers, pages, throttling, OpenAPI. Knows no app."""
