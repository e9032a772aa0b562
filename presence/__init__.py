"""Who is online, by leases in Redis. Imports rooms, not messaging."""
