"""What a night would send and cost. Nothing is written and nothing is paid."""
