"""Figure 8 on made-up versions of one space, where the right answers are known."""
