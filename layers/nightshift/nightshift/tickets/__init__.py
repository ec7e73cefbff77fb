"""The ticket table: which attributes are read and written, and how DynamoDB spells them."""
