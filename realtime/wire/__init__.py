"""The wire format: frames, envelopes, close codes. Imports no other part of realtime."""
