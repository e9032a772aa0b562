"""Messages: the log, group commit, history, receipts, search, resume, retention. Imports rooms, not presence."""
