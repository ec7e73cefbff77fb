"""Results of a batch into the ticket table, each accounted for once, until the batch is closed."""
