"""What commands share: what a selection comes to, and how a command on it ends."""
