"""Users, their sessions, tokens and signing keys. Imports api, realtime and foundation, and no other app."""
