"""What all REST endpoints share: error answers, serializers, pages, throttling, OpenAPI. Imports no app."""
