"""What a person uses beside a deployed stack: the page of a night, and the failed tickets.

Against AWS with the credentials at hand, or, with AWS_ENDPOINT_URL, against a local cloud.
"""
