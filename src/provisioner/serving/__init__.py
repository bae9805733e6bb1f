"""What listens: the witness. Each server has a deadline."""
