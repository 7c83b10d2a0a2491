"""Cocktails of regularizers: a search over subsets and strengths, what each part contributes, and other learners."""
