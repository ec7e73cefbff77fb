"""How every page looks, and how it is made from a template."""
