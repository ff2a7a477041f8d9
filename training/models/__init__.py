"""One recipe per model: how it is made from tables, written down, and judged again later."""
