"""What policies learn from past intervals: rates, shares and distributions."""
