"""The atlas: which regularizer helps on which data set, measured on many of them.

  python -m experiments.atlas --packages=DIR --workdir=runs/atlas

`data` lists the data sets, `protocol` the techniques and the budget, `run` measures them one by one and resumes, and
`summarize` makes the record of what was measured.
"""
