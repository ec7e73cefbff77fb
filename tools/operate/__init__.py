"""What a person uses beside a deployed stack: a start by hand, the page of a night, failed tickets.

Against AWS with the credentials at hand; the stack `local` is in the local cloud that is kept up.
"""
