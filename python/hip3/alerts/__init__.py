"""What a person has to be told: rules over snapshots and notices, the board of what holds now, and its senders."""
