"""How pages for people look: the colours, the type and the pieces that all of them share."""
