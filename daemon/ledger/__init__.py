"""The one durable record. Each module is a store for one kind of fact; all share one database."""
