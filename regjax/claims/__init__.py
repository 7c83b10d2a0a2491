"""Claims about regularization, each measured and judged against a margin that was fixed beforehand."""
