"""The durable record of the daemon, in one database. Each module stores one kind of fact."""
